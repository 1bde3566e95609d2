"""What an answer that calls functions may look like, as plain data for a grammar to be made of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.errors import OstroError
from ostro.text.call_forms import CallForm, call_form
from ostro.text.tokenizer import Tokenizer
from ostro.text.tools import Tool, ToolChoice


@dataclass(frozen=True, kw_only=True)
class CallConstraint:
    """An answer is ``begin``, JSON of ``schema``, ``end``: always, or whenever it calls.

    ``begin`` and ``end`` are texts and ids of control tokens, one after another.
    """

    required: bool
    """Whether the answer must be a call; otherwise it may be text as well."""
    anywhere: bool
    """Whether text may precede a call that is not required."""
    begin: tuple[int | str, ...]
    schema: Mapping[str, Any]
    end: tuple[int | str, ...]
    separator: str | None
    """What stands before another ``begin``; None where all calls stand in one ``schema``."""

    @property
    def text_pattern(self) -> str | None:
        """A regular expression of the answers that are text from their first character on.

        None where a call is required, may come after text, or begins with a control token.
        """
        if self.required or self.anywhere or not isinstance(self.begin[0], str):
            return None
        return f"(?s:{_not_beginning_with(self.begin[0].strip())})"


def call_constraint(
    tokenizer: Tokenizer, tools: Sequence[Tool], choice: ToolChoice
) -> CallConstraint | None:
    """What the choice demands, in the form that the model knows; None where nothing is demanded.

    A schema that refers to something outside itself is an :class:`~ostro.errors.OstroError`.
    """
    form = call_form(tokenizer.tool_format)
    required = choice.mode == "required"
    # Without a mark nothing tells a call from an answer that happens to be JSON.
    if not tools or choice.mode == "none" or not (required or form.begin):
        return None
    chosen = [tool for tool in tools if choice.name in (None, tool.name)]
    return CallConstraint(
        required=required,
        anywhere=form.anywhere,
        begin=_parts(form.begin, tokenizer.special_pieces),
        schema=_schema(form, chosen, parallel=choice.parallel),
        end=_parts(form.end, tokenizer.special_pieces),
        separator=None if form.lists or not choice.parallel else "\n",
    )


def _parts(text: str, special: Mapping[str, int]) -> tuple[int | str, ...]:
    """The mark as its token, where it is one, and what stands around it."""
    mark = text.strip()
    if mark not in special:
        return (text,) if text else ()
    before, _, after = text.partition(mark)
    return tuple(part for part in (before, special[mark], after) if part != "")


def _schema(form: CallForm, tools: Sequence[Tool], *, parallel: bool) -> dict[str, Any]:
    definitions: dict[str, Any] = {"call": {"anyOf": [_call(form, tool) for tool in tools]}}
    for tool in tools:
        definitions[_definition(tool)] = _arguments(tool)
    one = {"$ref": "#/$defs/call"}
    several: dict[str, Any] = {"type": "array", "items": one, "minItems": 1}
    if not parallel:
        several["maxItems"] = 1
    shapes = [one] if form.single else []
    if form.lists and (parallel or not form.single):
        shapes.append(several)
    return {"anyOf": shapes, "$defs": definitions}


def _call(form: CallForm, tool: Tool) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": {"const": tool.name},
        form.arguments: {"$ref": f"#/$defs/{_definition(tool)}"},
    }
    if form.has_ids:
        properties["id"] = {"type": "string", "pattern": "^[a-zA-Z0-9]{9}$"}
    return {
        "type": "object",
        "properties": properties,
        "required": ["name", form.arguments],
        "additionalProperties": False,
    }


def _definition(tool: Tool) -> str:
    return f"arguments-{tool.name}"


def _arguments(tool: Tool) -> dict[str, Any]:
    """The tool's schema at its new place; whatever it says, arguments are an object."""
    moved = {key: _moved(key, value, tool) for key, value in tool.parameters.items()}
    moved.pop("$schema", None)
    return {**moved, "type": "object"}


def _moved(key: str, value: Any, tool: Tool) -> Any:
    if key in ("const", "default", "enum", "examples"):
        return value
    if key == "$ref" and isinstance(value, str):
        if not value.startswith("#"):
            raise OstroError(
                f"Invalid tool schema: {tool.name} refers to {value!r}; put that into its own "
                "$defs and refer to '#/$defs/...'"
            )
        return f"#/$defs/{_definition(tool)}{value[1:]}"
    if isinstance(value, Mapping):
        return {inner: _moved(inner, entry, tool) for inner, entry in value.items()}
    if isinstance(value, list):
        return [_moved("", entry, tool) for entry in value]
    return value


def _not_beginning_with(mark: str) -> str:
    pattern = ""
    for char in reversed(mark):
        same = f"|{re.escape(char)}{pattern}" if pattern else ""
        pattern = f"(?:[^{re.escape(char)}].*{same})?"
    return pattern
