"""The body of a request as plain values.

JSON as RFC 8259 has it, and no more: what Python's reader would let pass or decide by itself is
refused here: a NaN, half of a surrogate pair, a key that comes twice.
"""

import json
import re
from collections import Counter
from typing import Any, NoReturn

from ostro.server.errors import ApiError
from ostro.server.limits import Limits

# Half of a surrogate pair can only come as an escape, since the body is UTF-8.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(body: bytes, limits: Limits) -> Any:
    """Plain values of a body.

    Raises :class:`ApiError`: 413 for a body of too many bytes, 400 for one that is not UTF-8, not
    JSON, nested too deeply, has a key twice in one object, or a number beyond double precision.
    """
    check_size(len(body), limits)
    if not body.strip():
        raise _bad("the body is empty; send a JSON object")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _bad(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _bad(f"the body is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise _too_deep(limits) from None
    except ApiError:
        raise
    except ValueError:  # Python reads no integer of thousands of digits.
        raise _bad("the body holds a number of too many digits") from None
    _check_nesting(value, limits)
    if _SURROGATE.search(body):
        _check_surrogates(value)
    return value


def check_size(size: int, limits: Limits) -> None:
    """Raise 413 if ``size`` bytes, announced or read so far, are more than a body may have."""
    if size > limits.body_bytes:
        message = f"the body is larger than {limits.body_bytes} bytes"
        raise ApiError(413, message, code="body_too_large")


def _check_nesting(value: Any, limits: Limits) -> None:
    level = [[value]]
    for _ in range(limits.nesting + 1):
        level = [part for parent in level for part in _containers(parent)]
    if level:
        raise _too_deep(limits)


def _containers(parent: Any) -> list[Any]:
    parts = parent.values() if isinstance(parent, dict) else parent
    return [part for part in parts if isinstance(part, dict | list)]


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _bad("a string holds half of a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise _bad(f"an object has the key {twice[:100]!r} twice")
    return values


def _constant(name: str) -> NoReturn:
    raise _bad(f"{name} is not JSON")


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _bad("the body holds a number beyond double precision")
    return number


def _too_deep(limits: Limits) -> ApiError:
    return _bad(f"the body nests more than {limits.nesting} objects and lists")


def _bad(message: str) -> ApiError:
    return ApiError(400, message, code="invalid_json")
