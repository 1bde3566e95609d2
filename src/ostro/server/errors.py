"""Errors as every client reads them.

Mistral's own form is flat, and the OpenAI client reads flat bodies too. The newer Mistral clients
want a list called ``detail`` in a 422; the others pass over it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ostro.errors import CheckpointError, NetworkError, OstroError
from ostro.server.error_words import describe_errors

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_MOST_CHARACTERS = 1000  # A message may quote what the client sent.


class ApiError(OstroError):
    """A refusal with its HTTP status.

    ``param`` names the field, ``code`` the reason in a word that programs can compare.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        detail: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(_line(message))
        self.status, self.code, self.param = status, code, param
        self.headers, self.detail = dict(headers or {}), [dict(entry) for entry in detail]


@dataclass(frozen=True)
class ErrorResponse:
    """An error, ready to be sent."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def error_response(error: BaseException) -> ErrorResponse:
    """The response to anything that was raised while a request was served.

    A user's mistake is told; what is wrong on this side gives a 500 without particulars.
    """
    known = as_api_error(error)
    body = {
        "object": "error",
        "message": str(known),
        "type": _type(known.status),
        "param": known.param,
        "code": known.code,
        "detail": known.detail,
    }
    return ErrorResponse(known.status, body, known.headers)


def as_api_error(error: BaseException) -> ApiError:
    """``error`` with a status, a code and words for the client."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ValidationError):
        return invalid_fields(error)
    # A damaged checkpoint or a closed network is for whoever runs the server.
    if isinstance(error, OstroError) and not isinstance(error, CheckpointError | NetworkError):
        return ApiError(400, str(error), code="invalid_request")
    return ApiError(500, "the server failed; its log says why", code="internal_error")


def invalid_fields(error: ValidationError) -> ApiError:
    """422 for fields that are missing, unknown or wrong; the message tells the first of them."""
    problems = describe_errors(error)
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ApiError(
        422,
        f"{first.param or 'the body'} {first.words}{more}",
        code=first.kind,
        param=first.param,
        detail=[problem.to_dict() for problem in problems],
    )


def unauthorised(message: str = "missing or wrong API key") -> ApiError:
    """401, where a key is asked for."""
    headers = {"WWW-Authenticate": "Bearer"}
    return ApiError(401, message, code="invalid_api_key", headers=headers)


def unknown_model(name: str, known: Sequence[str]) -> ApiError:
    """404 for a model that is not served."""
    served = ", ".join(known) or "none"
    message = f"unknown model {_quoted(name)}; served: {served}"
    return ApiError(404, message, code="unknown_model", param="model")


def unknown_path(path: str) -> ApiError:
    """404 for a path that means nothing here."""
    return ApiError(404, f"no such path: {_quoted(path)}", code="unknown_path")


def wrong_method(method: str, path: str, allowed: Sequence[str]) -> ApiError:
    """405; ``allowed`` are the methods that the path does know."""
    message = f"{_quoted(path)} does not take {method}; it takes {', '.join(allowed)}"
    headers = {"Allow": ", ".join(allowed)}
    return ApiError(405, message, code="method_not_allowed", headers=headers)


def without_fim(model: str) -> ApiError:
    """400 for filling in the middle, which needs a tokenizer with tokens for it."""
    message = f"model {_quoted(model)} cannot fill in the middle; use /v1/completions"
    return ApiError(400, message, code="fim_not_supported", param="model")


def too_many(message: str, seconds: int) -> ApiError:
    """429: a key's rate or the queue is exhausted; try again after ``seconds``."""
    return ApiError(429, message, code="rate_limited", headers={"Retry-After": str(seconds)})


def unavailable(message: str, seconds: int) -> ApiError:
    """503: still starting or already stopping; try again after ``seconds``."""
    return ApiError(503, message, code="unavailable", headers={"Retry-After": str(seconds)})


def _type(status: int) -> str:
    return _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else f"{text[:100]}...")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."
