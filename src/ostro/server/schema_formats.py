"""``response_format``, ``tools`` and ``tool_choice``."""

import json
from dataclasses import dataclass
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
from ostro.server.schema_base import Fields, FunctionName, at_most, limits_of

FormatType = Literal["text", "json_object", "json_schema", "regex", "choice"]


def _fits(value: Any, info: ValidationInfo) -> Any:
    """Refuses what a grammar, or a prompt that quotes it, would take too long to read."""
    most = limits_of(info).schema_bytes
    if len(json.dumps(value, separators=(",", ":"))) > most:
        raise refusal("too_long", f"must have at most {most} bytes as JSON")
    return value


def _options(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, list):
        _fits(value, info)
        if not value or not all(value):
            raise refusal("empty", "must have texts, none of them empty")
        if all(isinstance(option, str) for option in value) and len(set(value)) < len(value):
            raise refusal("repeated", "has an entry twice")
    return value


Schema = Annotated[dict[str, Any], AfterValidator(_fits)]


class JsonSchema(Fields):
    """A JSON schema and what it is called."""

    name: FunctionName
    schema_definition: Annotated[Schema, Field(alias="schema")]
    description: str | None = None
    strict: bool = False
    """Without effect: every schema is followed to the letter."""


class ResponseFormat(Fields):
    """The form of an answer. ``regex`` and ``choice`` are ostro's own types."""

    type: FormatType = "text"
    json_schema: JsonSchema | None = None
    regex: Annotated[str, Field(min_length=1), AfterValidator(_fits)] | None = None
    choice: Annotated[list[str], at_most("options"), BeforeValidator(_options)] | None = None

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        for name in ("json_schema", "regex", "choice"):
            given = getattr(self, name) is not None
            if given and self.type != name:
                raise refusal("contradiction", f"does not go with type {self.type!r}", name)
            if not given and self.type == name:
                raise refusal("needs_other", f"is required with type {name!r}", name)
        return self


class Function(Fields):
    """A function that the model may call."""

    name: FunctionName
    description: str = ""
    parameters: Schema = Field(default_factory=dict)
    """A JSON schema of its arguments."""
    strict: bool = False
    """Whether the arguments of a call must follow the schema."""


class Tool(Fields):
    """A tool, which is always a function."""

    type: Literal["function"] = "function"
    function: Function

    @model_validator(mode="before")
    @classmethod
    def _not_built_in(cls, value: Any) -> Any:
        # Before the function is looked for, which a built-in tool does not have.
        if isinstance(value, dict) and value.get("type") not in (None, "function"):
            words = "must be 'function'; built-in tools are not served"
            raise refusal("not_served", words, "type")
        return value

    def plain(self) -> dict[str, Any]:
        """The tool as plain values, as both dialects write it."""
        return {"type": "function", "function": self.function.model_dump()}


@dataclass(frozen=True)
class OneTool:
    """A choice that was made for the model: it must call this function."""

    name: str


ToolChoice = Literal["auto", "none", "any"] | OneTool


def _tool_choice(value: Any) -> ToolChoice:
    if value == "required":  # OpenAI's word for Mistral's.
        return "any"
    if isinstance(value, str) and value in ("auto", "none", "any"):
        return value  # type: ignore[return-value]
    if isinstance(value, dict) and {"function"} <= set(value) <= {"type", "function"}:
        function = value["function"]
        is_function = value.get("type") in (None, "function")
        if is_function and isinstance(function, dict) and set(function) == {"name"}:
            name = function["name"]
            if isinstance(name, str):
                return OneTool(name)
    words = "must be auto, none, any, required or {'type': 'function', 'function': {'name': ...}}"
    raise refusal("tool_choice", words)


def _distinct(tools: list[Tool]) -> list[Tool]:
    names = [tool.function.name for tool in tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise refusal("repeated", f"has the name of another tool, {name!r}", index)
    return tools


Tools = Annotated[list[Tool], at_most("tools"), AfterValidator(_distinct)]
_NAMED = {
    "type": "object",
    "properties": {
        "type": {"enum": ["function", None]},
        "function": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
    },
    "required": ["function"],
    "additionalProperties": False,
}
_CHOICES = [{"enum": ["auto", "none", "any", "required"]}, _NAMED]
Choice = Annotated[ToolChoice, PlainValidator(_tool_choice), WithJsonSchema({"anyOf": _CHOICES})]
