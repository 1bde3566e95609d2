"""Messages of a conversation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from ostro.errors import OstroError

Role = Literal["system", "user", "assistant", "tool"]

NO_CALL_ID = "null"
"""The id of a call that came without one, as in mistral-common."""

_KEYS = ("role", "content", "prefix", "tool_calls", "tool_call_id", "name")
# An answer of OpenAI's server has these; sent back, they must say nothing.
_EMPTY_KEYS = ("annotations", "audio", "function_call", "refusal")


@dataclass(frozen=True)
class ToolCall:
    """A function that the assistant wants to be called; ``arguments`` is the text of a JSON object.

    What a client sends back as ``arguments`` may be any text: models make mistakes.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One message. ``prefix`` marks a last assistant message that the answer continues.

    A tool's message is what a call gave: ``tool_call_id`` says which call, ``name`` which function.
    Elsewhere ``name`` tells participants of one role apart, for templates that do.
    """

    role: Role
    content: str
    prefix: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


def parse_messages(values: Any) -> list[Message]:
    """Messages from plain values such as ``{"role": "user", "content": "Hello"}``.

    ``values`` is a list of those or of :class:`Message`. ``content`` is a text, null, or a list of
    texts and of ``{"type": "text", "text": ...}``, which are joined by a blank line. An optional
    key may be null. Anything else is an error that names the place.
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
    _check_keys(value, place)
    role, prefix = value.get("role"), value.get("prefix")
    if role not in get_args(Role):
        raise OstroError(f"{place}: unknown role {role!r}; known: {', '.join(get_args(Role))}")
    if type(prefix) not in (bool, type(None)) or (prefix and role != "assistant"):
        raise OstroError(f"{place}: prefix must be true or false, and true for assistants alone")
    if value.get("tool_calls") and role != "assistant":
        raise OstroError(f"{place}: only assistants have tool_calls")
    if value.get("tool_call_id") is not None and role != "tool":
        raise OstroError(f"{place}: only tool messages have a tool_call_id")
    return Message(
        cast(Role, role),
        _content(value, cast(Role, role), f"{place}.content"),
        bool(prefix),
        _tool_calls(value.get("tool_calls"), f"{place}.tool_calls"),
        _text_or_null(value, "tool_call_id", place),
        _text_or_null(value, "name", place),
    )


def _check_keys(value: Mapping[Any, Any], place: str) -> None:
    for key in sorted(map(str, value)):
        if key in _EMPTY_KEYS and value[key] not in (None, []):
            raise OstroError(f"{place}: {key} must be null; ostro reads text and tool calls only")
        if key not in _KEYS + _EMPTY_KEYS:
            raise OstroError(f"{place}: unknown key {key!r}; known: {', '.join(_KEYS)}")


def _content(message: Mapping[str, Any], role: Role, place: str) -> str:
    value = message.get("content")
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        chunks = [_chunk(chunk, f"{place}[{index}]") for index, chunk in enumerate(value)]
        return "\n\n".join(filter(None, chunks))
    # Clients' types allow null everywhere; what is wrong with an empty answer is said later.
    if value is None and role != "system" and ("content" in message or role == "assistant"):
        return ""
    raise OstroError(f"{place} must be a text or a list of text chunks")


def _chunk(value: Any, place: str) -> str:
    if isinstance(value, str):
        return value
    if (
        isinstance(value, Mapping)
        and set(value) == {"type", "text"}
        and value["type"] == "text"
        and isinstance(value["text"], str)
    ):
        return value["text"]
    raise OstroError(f'{place} must be {{"type": "text", "text": ...}}; ostro reads text only')


def _tool_calls(value: Any, place: str) -> tuple[ToolCall, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise OstroError(f"{place} must be a list")
    return tuple(_tool_call(call, f"{place}[{index}]") for index, call in enumerate(value))


def _tool_call(value: Any, place: str) -> ToolCall:
    if isinstance(value, ToolCall):
        return value
    table = _table(value, ("id", "type", "index", "function"), place)
    if table.get("type") not in (None, "function"):
        raise OstroError(f"{place}: type must be 'function' and not {table['type']!r}")
    if type(table.get("index", 0)) not in (int, type(None)):
        raise OstroError(f"{place}: index must be a number")
    function = _table(table.get("function"), ("name", "arguments"), f"{place}.function")
    name = function.get("name")
    if not isinstance(name, str):
        raise OstroError(f"{place}.function.name must be a text")
    arguments = _arguments(function.get("arguments"), f"{place}.function.arguments")
    given = _text_or_null(table, "id", place)
    return ToolCall(NO_CALL_ID if given is None else given, name, arguments)


def _arguments(value: Any, place: str) -> str:
    if value is None:
        return "{}"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        try:
            return json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise OstroError(f"{place} can't be written as JSON: {error}") from None
    raise OstroError(f"{place} must be an object or its JSON text")


def _table(value: Any, known: tuple[str, ...], place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OstroError(f"{place} must be an object with {' and '.join(known[-2:])}")
    unknown = sorted(str(key) for key in value if key not in known)
    if unknown:
        raise OstroError(f"{place}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    return value


def _text_or_null(table: Mapping[str, Any], key: str, place: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise OstroError(f"{place}: {key} must be a text")
    return value
