"""``steering``: experts forced, forbidden or reweighted, for research. ostro's own extension.

The form is that of :func:`ostro.model.steering.parse_steering`. Whether the model has such a layer
or expert is for the engine to say.
"""

from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo

from ostro.errors import OstroError
from ostro.model.steering import Steering, parse_steering
from ostro.server.error_words import refusal
from ostro.server.schema_base import limits_of, whole

_MOST_CHARACTERS = 300  # A reason may quote what the client sent.


def _steering(value: Any, info: ValidationInfo) -> Steering:
    if not isinstance(value, dict):
        raise refusal("object_type", "must be an object")
    _check_size(value, limits_of(info).steered)
    try:
        return parse_steering(_plain(value))
    except OstroError as error:
        # The name of the field stands before these words.
        reason = " ".join(str(error).removeprefix("steering").lstrip(":, ").split())
        if len(reason) > _MOST_CHARACTERS:
            reason = f"{reason[:_MOST_CHARACTERS]}..."
        raise refusal("steering", reason) from None


def _check_size(value: Any, most: int) -> None:
    """Refuse more than ``most`` keys and numbers in all tables together."""
    entries, parts = 0, [value]
    while parts:
        part = parts.pop()
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        entries += len(inner)
        if entries > most:
            raise refusal("too_long", f"must have at most {most} entries in all")
        parts.extend(inner)


def _plain(value: Any) -> Any:
    """The same without nulls, which say nothing, and with 1 for 1.0."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part is not None}
    return [_plain(part) for part in value] if isinstance(value, list) else whole(value)


SteeringField = Annotated[Steering, PlainValidator(_steering)]
"""Steering in a request; read, it is a :class:`~ostro.model.steering.Steering`."""
