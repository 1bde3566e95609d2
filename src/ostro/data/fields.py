"""The fields that records have by custom, and the messages that they stand for."""

from collections.abc import Mapping
from typing import Any

from ostro.errors import OstroError
from ostro.text.messages import Message, Role, parse_messages


def text_field(values: Mapping[str, Any], name: str) -> str:
    """A text that says something, or an OstroError."""
    value = values.get(name)
    if not isinstance(value, str) or not value.strip():
        raise OstroError(f"{name!r} must be a text that is not empty")
    return value


def message_field(values: Mapping[str, Any], name: str, role: Role) -> list[Message]:
    """Messages: a list of them, or a text that is one message of ``role``."""
    if isinstance(values.get(name), list):
        return parse_messages(values[name])
    return [Message(role, text_field(values, name))]


def instruction(values: Mapping[str, Any]) -> list[Message]:
    """The field ``instruction`` as a question, with ``input`` after a blank line where it is."""
    parts = [text_field(values, "instruction")]
    if values.get("input"):
        parts.append(text_field(values, "input"))
    return [Message("user", "\n\n".join(parts))]


def has(values: Mapping[str, Any], *names: str) -> bool:
    """Whether all of these fields are there and not null; tables of Parquet fill gaps with null."""
    return all(values.get(name) is not None for name in names)
