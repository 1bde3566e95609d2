"""Messages of a conversation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from ostro.errors import OstroError

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Message:
    """One message. ``prefix`` marks a last assistant message that the answer continues."""

    role: Role
    content: str
    prefix: bool = False


def parse_messages(values: Any) -> list[Message]:
    """Messages from plain values such as ``{"role": "user", "content": "Hello"}``.

    ``values`` is a list of those or of :class:`Message`. ``content`` is a text or a list of
    ``{"type": "text", "text": ...}``, which are joined by a blank line. Anything else is an error
    that names the place.
    """
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise OstroError("messages must be a list of objects with role and content")
    return [
        value if isinstance(value, Message) else _parse(value, f"messages[{index}]")
        for index, value in enumerate(values)
    ]


def _parse(value: Any, place: str) -> Message:
    if not isinstance(value, Mapping):
        raise OstroError(f"{place} must be an object with role and content")
    unknown = sorted(str(key) for key in value if key not in ("role", "content", "prefix"))
    if unknown:
        raise OstroError(f"{place}: unknown key {unknown[0]!r}; known: role, content, prefix")
    role, prefix = value.get("role"), value.get("prefix", False)
    if role not in get_args(Role):
        raise OstroError(f"{place}: unknown role {role!r}; known: {', '.join(get_args(Role))}")
    if type(prefix) is not bool or (prefix and role != "assistant"):
        raise OstroError(f"{place}: prefix must be true or false, and true for assistants alone")
    return Message(cast(Role, role), _content(value.get("content"), f"{place}.content"), prefix)


def _content(value: Any, place: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        chunks = [_chunk(chunk, f"{place}[{index}]") for index, chunk in enumerate(value)]
        return "\n\n".join(filter(None, chunks))
    raise OstroError(f"{place} must be a text or a list of text chunks")


def _chunk(value: Any, place: str) -> str:
    if (
        isinstance(value, Mapping)
        and set(value) == {"type", "text"}
        and value["type"] == "text"
        and isinstance(value["text"], str)
    ):
        return value["text"]
    raise OstroError(f'{place} must be {{"type": "text", "text": ...}}; ostro reads text only')
