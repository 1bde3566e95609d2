"""Messages in the union of both dialects, made one plain form.

Here is checked what a message looks like. Whether messages make sense after one another, and what
a template makes of them, is for :mod:`ostro.text` to say.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from ostro.server.error_words import refusal
from ostro.server.limits import Limits
from ostro.server.schema_base import Fields, Unserved, Whole, at_most, limits_of

Content = str | list[dict[str, str]]
_SYSTEM = ("system", "developer")


def _content(value: Any, info: ValidationInfo) -> Content:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise refusal("content_type", "must be a text or a list of text chunks")
    most = limits_of(info).chunks
    if len(value) > most:
        raise refusal("too_long", f"must have at most {most} entries")
    return [_chunk(chunk, index) for index, chunk in enumerate(value)]


def _chunk(value: Any, index: int) -> dict[str, str]:
    if isinstance(value, str):  # mistralai 0.1 lets a content be a list of texts.
        return {"type": "text", "text": value}
    if isinstance(value, dict):
        kind, text = value.get("type", "text"), value.get("text")
        if kind != "text":
            raise refusal("not_served", "must be 'text'; ostro reads text only", index, "type")
        if isinstance(text, str) and set(value) <= {"type", "text"}:
            return {"type": "text", "text": text}
    raise refusal("chunk_type", "must be {'type': 'text', 'text': ...}", index)


def _arguments(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):  # Mistral's clients may send them as an object.
        return json.dumps(value, ensure_ascii=False)
    raise refusal("arguments_type", "must be a text or an object")


def _role(value: Any) -> Any:
    return "system" if value in _SYSTEM else value


def _empty(value: Any) -> Any:
    if value != []:
        raise refusal("not_served", "must be empty; ostro reads text only")
    return value


_TEXT = {"type": "string"}
_CHUNK = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": _TEXT},
    "required": ["text"],
    "additionalProperties": False,
}
_CHUNKS = {"type": "array", "items": {"anyOf": [_TEXT, _CHUNK]}, "maxItems": Limits().chunks}
_ARGUMENTS = {"anyOf": [_TEXT, {"type": "object"}]}
_ROLES = {"enum": ["system", "developer", "user", "assistant", "tool"]}


class CalledFunction(Fields):
    """A function and the arguments it was called with."""

    name: str
    arguments: Annotated[str, PlainValidator(_arguments), WithJsonSchema(_ARGUMENTS)] = "{}"
    """JSON as text."""


class ToolCall(Fields):
    """A call that the assistant made."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: CalledFunction
    index: Whole | None = None
    """Of a stream's parts; without effect, since the calls are a list."""

    def plain(self) -> dict[str, Any]:
        """Plain values; without an id where there is none, or only Mistral's word for none."""
        call: dict[str, Any] = {"type": "function", "function": self.function.model_dump()}
        return call if self.id in (None, "null") else {"id": self.id, **call}


class MessageFields(Fields):
    """One message."""

    role: Annotated[
        Literal["system", "user", "assistant", "tool"],
        BeforeValidator(_role),
        WithJsonSchema(_ROLES),
    ]
    """OpenAI's ``developer`` is ``system``."""
    content: Annotated[
        Content, PlainValidator(_content), WithJsonSchema({"anyOf": [_TEXT, _CHUNKS]})
    ] = ""
    name: str | None = None
    """Of a tool whose result this is, or of a participant, for templates that tell them apart."""
    tool_calls: Annotated[list[ToolCall], at_most("tool_calls")] = Field(default_factory=list)
    tool_call_id: str | None = None
    prefix: bool = False
    """The answer begins with this last message of the assistant."""
    # Answers of OpenAI's client carry these, and go back as they are.
    refusal: Unserved = None
    audio: Unserved = None
    function_call: Unserved = None
    annotations: Annotated[list[Any], BeforeValidator(_empty)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_content(cls, value: Any) -> Any:
        # A null is a content for all but the system, as clients' types have it.
        if isinstance(value, dict) and value.get("role") != "assistant":
            missing = "content" not in value
            if missing or (value["content"] is None and value.get("role") in _SYSTEM):
                raise refusal("missing", "is required", "content")
        return value

    @model_validator(mode="after")
    def _role_has_fields(self) -> Self:
        if self.role != "assistant":
            for name in ("tool_calls", "prefix"):
                if getattr(self, name):
                    raise refusal("wrong_role", "is for messages of the assistant", name)
        if self.role != "tool" and self.tool_call_id is not None:
            raise refusal("wrong_role", "is for messages of a tool", "tool_call_id")
        return self

    def plain(self) -> dict[str, Any]:
        """What :func:`ostro.text.messages.parse_messages` reads: no nulls, and no empty extras."""
        extras = {
            "name": self.name,
            "tool_calls": [call.plain() for call in self.tool_calls],
            "tool_call_id": self.tool_call_id,
            "prefix": self.prefix,
        }
        kept = {key: value for key, value in extras.items() if value}
        return {"role": self.role, "content": self.content, **kept}


def _plain(messages: list[MessageFields]) -> list[dict[str, Any]]:
    return [message.plain() for message in messages]


Messages = Annotated[
    list[MessageFields], at_most("messages"), Field(min_length=1), AfterValidator(_plain)
]
"""Validated to a list of plain objects: see :meth:`MessageFields.plain`."""
