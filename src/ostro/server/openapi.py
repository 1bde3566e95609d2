"""The OpenAPI document, and with it the list of all paths.

The server reads bodies itself, so that FastAPI knows nothing of them and the document is put
together here: requests from their schemas, responses from :mod:`ostro.server.response_schemas`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ostro.server import response_schemas as answers
from ostro.server.schema_base import Fields
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.schema_text import (
    DetokenizeRequest,
    ModerationRequest,
    TemplateRequest,
    TokenizeRequest,
)

_REF = "#/components/schemas/"
_ERRORS = {
    400: "What was asked for cannot be done, or the body is no JSON.",
    401: "The API key is missing or wrong.",
    404: "There is no such model.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    422: "A field is missing, unknown or wrong.",
    429: "Too many requests wait, or this key asks too often.",
    500: "The server failed; its log says why.",
    503: "The server is stopping, or there are too many connections.",
}
_HEADERS = {
    401: {"WWW-Authenticate": "How to send a key."},
    429: {"Retry-After": "Seconds."},
    503: {"Retry-After": "Seconds."},
}
_BODY = (400, 401, 404, 408, 413, 422, 429, 500, 503)
_WORDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_EXPERTS = {"type": "array", "items": {"type": "integer", "minimum": 0}}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _table_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _or_null(schema)}


def _object_of(**properties: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _or_null(schema) for name, schema in properties.items()}
    return {"type": "object", "properties": kept, "additionalProperties": False}


_LAYER = {
    "force": _EXPERTS,
    "forbid": _EXPERTS,
    "reweight": _table_of({"type": "number"}),
    "top_k": {"type": "integer", "minimum": 1},
}
_STEERING = {
    **_object_of(**_LAYER, layers=_table_of(_object_of(**_LAYER))),
    "description": "Which experts tokens take, in all layers, or in single ones.",
}
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A path and what it does."""

    method: str
    path: str
    endpoint: str
    """Which method of :class:`~ostro.server.app.Endpoints` answers."""
    about: str
    asked: type[Fields] | None = None
    answer: type[answers.Told] | None = None
    """The response to a request that can be answered; None where there is none, or no JSON."""
    chunk: type[answers.Told] | None = None
    """An event of the response, where it may be a stream."""
    errors: Sequence[int] = _BODY
    is_open: bool = False
    """Whether it needs no key."""


def _post(path: str, endpoint: str, about: str, **rest: Any) -> Operation:
    return Operation(method="POST", path=path, endpoint=endpoint, about=about, **rest)


def _get(path: str, endpoint: str, about: str, **rest: Any) -> Operation:
    return Operation(method="GET", path=path, endpoint=endpoint, about=about, **rest)


OPERATIONS = (
    _post(
        "/v1/chat/completions",
        "post_chat",
        "Answer a conversation.",
        asked=ChatRequest,
        answer=answers.ChatCompletion,
        chunk=answers.ChatCompletionChunk,
    ),
    _post(
        "/v1/completions",
        "post_completion",
        "Continue texts.",
        asked=CompletionRequest,
        answer=answers.TextCompletion,
        chunk=answers.TextCompletionChunk,
    ),
    _post(
        "/v1/chat/moderations",
        "post_moderation",
        "Judge conversations by categories.",
        asked=ModerationRequest,
        answer=answers.ModerationResults,
    ),
    _post(
        "/v1/fim/completions",
        "post_fim",
        "Fill in the middle, which no Mixtral can: always an error.",
        errors=(400, 401, 408, 413, 429, 503),
    ),
    _post("/tokenize", "post_tokenize", "Token ids.", asked=TokenizeRequest, answer=answers.Tokens),
    _post(
        "/detokenize",
        "post_detokenize",
        "The text of token ids.",
        asked=DetokenizeRequest,
        answer=answers.Detokenized,
    ),
    _post(
        "/apply-template",
        "post_template",
        "What the model reads for a conversation.",
        asked=TemplateRequest,
        answer=answers.Rendered,
    ),
    _get("/v1/models", "get_models", "All models.", answer=answers.ModelList, errors=(401, 503)),
    _get(
        "/v1/models/{name:path}",
        "get_model",
        "One model, under any of its names.",
        answer=answers.Model,
        errors=(401, 404, 503),
    ),
    _get(
        "/health", "get_ready", "As /health/ready.", answer=answers.Health, errors=(), is_open=True
    ),
    _get(
        "/health/ready",
        "get_ready",
        "Whether the model answers; 503 while the server stops.",
        answer=answers.Health,
        errors=(),
        is_open=True,
    ),
    _get(
        "/health/live",
        "get_live",
        "Whether the process answers at all.",
        answer=answers.Health,
        errors=(503,),
        is_open=True,
    ),
    _get(
        "/version", "get_version", "What runs.", answer=answers.Version, errors=(503,), is_open=True
    ),
    _get("/metrics", "get_metrics", "Counters for Prometheus.", errors=(401, 503)),
)


def document(version: str, *, has_keys: bool) -> dict[str, Any]:
    """The document of a server; with ``has_keys`` it says that a key is asked for."""
    components: dict[str, Any] = {"schemas": _schemas()}
    if has_keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        path = operation.path.replace(":path", "")
        entry = _entry(operation, components["schemas"])
        if has_keys and not operation.is_open:
            entry["security"] = [{"key": []}]
        paths.setdefault(path, {})[operation.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "ostro", "version": version},
        "paths": paths,
        "components": components,
    }


def _schemas() -> dict[str, Any]:
    """All schemas by name, which refer to each other where the document keeps them."""
    models: set[type[BaseModel]] = {answers.Error, answers.StreamError}
    for operation in OPERATIONS:
        models |= {m for m in (operation.asked, operation.answer, operation.chunk) if m is not None}
    chosen = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema(
        [(model, "validation") for model in chosen], ref_template=_REF + "{model}"
    )
    definitions: dict[str, Any] = _tidy(schema["$defs"])
    definitions["Steering"] = _STEERING
    for model in (ChatRequest, CompletionRequest):
        steering = _or_null({"$ref": _REF + "Steering"})
        definitions[model.__name__]["properties"]["steering"] = steering
    return definitions


def _tidy(schema: Any) -> Any:
    """Without defaults that are no value, and with bounds in JSON schema's words."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        _WORDS.get(key, key) if isinstance(part, int | float) else key: _tidy(part)
        for key, part in schema.items()
        if not (key == "default" and part is None)
    }


def _entry(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operationId": f"{operation.method.lower()} {operation.path}",
        "summary": operation.about,
        "responses": {str(status): body for status, body in _responses(operation)},
    }
    if operation.asked is not None:
        # In its place rather than among the others, since many tools show it only there.
        body = schemas[operation.asked.__name__]
        entry["requestBody"] = {"required": True, "content": _json(body)}
    elif operation.method == "POST":
        entry["requestBody"] = {"required": True, "content": _json({})}
    if "{name" in operation.path:
        name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
        entry["parameters"] = [name]
    return entry


def _responses(operation: Operation) -> list[tuple[int, dict[str, Any]]]:
    responses = []
    if operation.endpoint == "get_metrics":
        content = {_METRICS: {"schema": {"type": "string"}}}
        responses.append((200, _response("Prometheus' text format.", content)))
    elif operation.answer is not None:
        responses.append((200, _answer(operation, operation.answer)))
    if operation.endpoint == "get_ready":
        body = {"anyOf": [_ref(answers.Health), _ref(answers.Error)]}
        responses.append((503, _response(_ERRORS[503], _json(body))))
    for status in operation.errors:
        body = _response(_ERRORS[status], _json(_ref(answers.Error)), _HEADERS.get(status, {}))
        responses.append((status, body))
    return responses


def _answer(operation: Operation, answer: type[answers.Told]) -> dict[str, Any]:
    content = _json(_ref(answer))
    words = "The answer."
    if operation.chunk is not None:
        words = (
            f"The answer; with stream: true, events, each a {operation.chunk.__name__} "
            f"or a StreamError, and [DONE] at the end."
        )
        # Without a schema: some readers hold it against the stream, and others against each event.
        content["text/event-stream"] = {}
    return _response(words, content)


def _response(
    words: str, content: dict[str, Any], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    all_headers = {"X-Request-Id": "The request's own id, or one that was made for it."}
    return {
        "description": words,
        "content": content,
        "headers": {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in (all_headers | (headers or {})).items()
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF + model.__name__}
