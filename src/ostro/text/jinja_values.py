"""What a chat template is given: messages and functions in the form of ``transformers``."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ostro.text.call_forms import ToolFormat
from ostro.text.jinja_sandbox import free_variables
from ostro.text.json_text import value_or_text
from ostro.text.messages import Message, ToolCall
from ostro.text.tools import Tool

Change = Callable[[str], str]
"""What is done to a text."""

_SCHEMA_WORD = re.compile(
    r"\$defs|\$ref|additionalProperties|allOf|anyOf|array|boolean|const|default|definitions"
    r"|description|enum|format|integer|items|maxItems|maximum|minItems|minimum|null|number|object"
    r"|oneOf|pattern|properties|required|string|title|type"
)
# A call as the templates of Llama 3 and others write it, without a mark.
_BARE_CALL = re.compile(r'\{\\?"name\\?"')


def template_tool_format(source: str, pieces: Mapping[str, int]) -> ToolFormat | None:
    """How a model with this template writes calls; ``pieces`` are its control tokens.

    None where the template takes no functions, can't write an earlier call, or has calls written
    in a way that ostro can't read.
    """
    if "tool_calls" not in source or "tools" not in free_variables(source):
        return None
    if "[TOOL_CALLS]" in source:
        # Newer models write a name, [ARGS] and the arguments.
        return "mistral" if "[TOOL_CALLS]" in pieces and "[ARGS]" not in source else None
    if "<tool_call>" in source:
        return None if "<function=" in source else "tagged"
    return "json" if _BARE_CALL.search(source) else None


def message_value(message: Message, change: Change) -> dict[str, Any]:
    """A message with its optional parts only where it has them; arguments as an object.

    ``change`` is done to every text that its writer chose.
    """
    value: dict[str, Any] = {"role": message.role, "content": change(message.content)}
    if message.tool_calls:
        value["tool_calls"] = [_call_value(call, change) for call in message.tool_calls]
    optional = {"tool_call_id": message.tool_call_id, "name": message.name}
    return value | {key: change(text) for key, text in optional.items() if text is not None}


def tool_value(tool: Tool, change: Change) -> dict[str, Any]:
    """A function; templates look for the schema's own words, so these stay as they are."""
    function = {
        "name": change(tool.name),
        "description": change(tool.description),
        "parameters": with_texts(
            tool.parameters, lambda text: text if _SCHEMA_WORD.fullmatch(text) else change(text)
        ),
    }
    return {"type": "function", "function": function}


def all_texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from all_texts(key)
            yield from all_texts(entry)
    elif isinstance(value, Sequence):
        for entry in value:
            yield from all_texts(entry)


def with_texts(value: Any, change: Change) -> Any:
    """The same value with every text changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {with_texts(k, change): with_texts(v, change) for k, v in value.items()}
    if isinstance(value, Sequence):
        return [with_texts(entry, change) for entry in value]
    return value


def _call_value(call: ToolCall, change: Change) -> dict[str, Any]:
    arguments = with_texts(value_or_text(call.arguments), change)
    function = {"name": change(call.name), "arguments": arguments}
    return {"id": change(call.id), "type": "function", "function": function}
