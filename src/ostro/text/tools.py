"""Functions that a model may call, and whether it may, must or must not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ostro.errors import OstroError
from ostro.text.message_order import check_function_name


@dataclass(frozen=True)
class Tool:
    """A function: its name, what it does, and the JSON schema (draft 7) of its arguments.

    A name or a schema that mistral-common refuses is an :class:`~ostro.errors.OstroError` in its
    words. ``strict`` is what the client asked for; ostro holds calls to the schema anyway.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False

    def __post_init__(self) -> None:
        _check_schema(self.parameters)
        check_function_name(self.name)

    def as_json(self) -> dict[str, Any]:
        """The function as models are shown it, in the form of Mistral and OpenAI."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class ToolChoice:
    """Whether the model calls a function: as it sees fit, never, or certainly.

    ``name``, only with ``"required"``, is the one function to call. Without ``parallel`` an answer
    holds one call at most.
    """

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None
    parallel: bool = True


AUTO = ToolChoice()
"""The model decides."""


def parse_tools(values: Any) -> tuple[Tool, ...]:
    """Tools from plain values such as ``{"type": "function", "function": {"name": ...}}``.

    ``values`` is null or a list of those or of :class:`Tool`. Errors name the place, or are
    mistral-common's own.
    """
    if values is None:
        return ()
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise OstroError("tools must be a list of functions")
    tools = tuple(
        value if isinstance(value, Tool) else _tool(value, f"tools[{index}]")
        for index, value in enumerate(values)
    )
    names = [tool.name for tool in tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise OstroError(f"tools[{index}]: there is another function named {name!r}")
    return tools


def parse_tool_choice(
    value: Any, tools: Sequence[Tool], *, parallel_tool_calls: bool | None = None
) -> ToolChoice:
    """A choice from its wire form: null, a word, or ``{"function": {"name": ...}}``.

    ``"any"`` and ``"required"`` are the same. A call cannot be required where there are no tools.
    """
    parallel = parallel_tool_calls is not False
    if isinstance(value, ToolChoice):
        choice = value
    elif value in (None, "auto"):
        choice = ToolChoice("auto", parallel=parallel)
    elif value == "none":
        choice = ToolChoice("none", parallel=parallel)
    elif value in ("any", "required"):
        choice = ToolChoice("required", parallel=parallel)
    else:
        choice = ToolChoice("required", _chosen_name(value), parallel)
    if choice.mode == "required" and not tools:
        raise OstroError("tool_choice requires a call, but there are no tools")
    if choice.name is not None and choice.name not in {tool.name for tool in tools}:
        raise OstroError(f"tool_choice names {choice.name!r}, which is not among the tools")
    return choice


def _tool(value: Any, place: str) -> Tool:
    table = _table(value, ("type", "function"), place)
    if table.get("type") not in (None, "function"):
        raise OstroError(f"{place}: type {table['type']!r} is not supported, only 'function' is")
    place += ".function"
    function = _table(table.get("function"), ("name", "description", "parameters", "strict"), place)
    kinds = {"name": str, "description": str, "parameters": dict, "strict": bool}
    given = {key: entry for key, entry in function.items() if entry is not None}
    for key, entry in given.items():
        if not isinstance(entry, kinds[key]):
            words = {str: "a text", dict: "a JSON schema", bool: "true or false"}
            raise OstroError(f"{place}.{key} must be {words[kinds[key]]}")
    if "name" not in given:
        raise OstroError(f"{place}.name must be a text")
    return Tool(
        given["name"],
        given.get("description", ""),
        given.get("parameters", {}),
        given.get("strict", False),
    )


def _chosen_name(value: Any) -> str:
    known = "auto, none, any, required, or one of the tools: {'function': {'name': ...}}"
    table = value if isinstance(value, Mapping) else {}
    function = table.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    extra = set(table) - {"type", "function"} or table.get("type") not in (None, "function")
    if extra or not isinstance(name, str) or set(function or ()) != {"name"}:
        raise OstroError(f"tool_choice must be {known}")
    return name


def _table(value: Any, known: tuple[str, ...], place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OstroError(f"{place} must be an object")
    unknown = sorted(str(key) for key in value if key not in known)
    if unknown:
        raise OstroError(f"{place}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    return value


def _check_schema(schema: Mapping[str, Any]) -> None:
    """As mistral-common does it; importing the validator takes a moment, and few need it."""
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft7Validator.check_schema(schema)
        json.dumps(schema)
    except SchemaError as error:
        raise OstroError(f"Invalid tool schema: {error.message}") from error
    except (TypeError, ValueError) as error:
        raise OstroError(f"Invalid tool schema: it can't be written as JSON: {error}") from error
    except RecursionError as error:
        raise OstroError("Invalid tool schema: it is nested too deeply") from error
