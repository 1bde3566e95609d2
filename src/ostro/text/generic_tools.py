"""Functions for models that were never taught to call any: everything is said in plain messages.

A system message lists the functions and asks for ``<tool_call>``, a JSON object and
``</tool_call>``. An earlier call is the assistant's own message in that form; its result is a
user's message between ``<tool_response>`` and ``</tool_response>``. Several calls are a JSON list.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ostro.errors import OstroError
from ostro.text.call_forms import GENERIC
from ostro.text.json_text import value_or_text
from ostro.text.messages import Message, ToolCall
from ostro.text.tools import Tool, ToolChoice


def with_tools(
    messages: Sequence[Message], tools: Sequence[Tool], choice: ToolChoice
) -> list[Message]:
    """The conversation, checked already, without calls and results: roles and texts alone.

    The list of functions follows the system messages at the beginning. Results are put in the
    order of their calls, since the written calls carry no ids.
    """
    plain: list[Message] = []
    calls: tuple[ToolCall, ...] = ()
    for role, group in groupby(messages, key=lambda message: message.role):
        members = list(group)
        if role == "assistant":
            calls = members[-1].tool_calls
            members = [_written(message) for message in members]
        elif role == "tool":
            members = _results(members, calls)
        plain += members
    if not tools or choice.mode == "none":
        return plain
    at = next((i for i, message in enumerate(plain) if message.role != "system"), len(plain))
    return [*plain[:at], Message("system", instructions(tools, choice)), *plain[at:]]


def instructions(tools: Sequence[Tool], choice: ToolChoice) -> str:
    """What a model is told about the functions: one a line, and how to call them."""
    form = f'{GENERIC.begin}{{"name": "...", "arguments": {{...}}}}{GENERIC.end}'
    lines = ["You can call these functions:"]
    lines += [_json(tool.as_json()["function"]) for tool in tools]
    if choice.name is not None:
        lines += ["", f"Call the function {choice.name} now. Answer with nothing but", form]
    elif choice.mode == "required":
        lines += ["", "Call a function now. Answer with nothing but", form]
    else:
        lines += ["", "To call one, answer with nothing but", form]
    if choice.parallel:
        lines.append("For several calls at once, write a list of such objects there.")
    lines.append("The results come in the next message, between <tool_response> marks.")
    if choice.mode == "auto":
        lines.append("If no function helps, answer in plain words.")
    return "\n".join(lines)


def _written(message: Message) -> Message:
    if not message.tool_calls:
        return message
    values = [
        {"name": call.name, "arguments": value_or_text(call.arguments)}
        for call in message.tool_calls
    ]
    body = _json(values[0] if len(values) == 1 else values)
    parts = [part for part in (message.content, f"{GENERIC.begin}{body}{GENERIC.end}") if part]
    return replace(message, content="\n\n".join(parts), tool_calls=())


def _results(messages: Sequence[Message], calls: Sequence[ToolCall]) -> list[Message]:
    places = {call.id: index for index, call in enumerate(calls)}
    names = {call.id: call.name for call in calls}
    ordered = sorted(messages, key=lambda m: places.get(m.tool_call_id or "", len(places)))
    return [_result(message, names) for message in ordered]


def _result(message: Message, names: Mapping[str, str]) -> Message:
    name = message.name or names.get(message.tool_call_id or "")
    value = {"name": name} if name else {}
    body = _json({**value, "content": value_or_text(message.content)})
    return Message("user", f"<tool_response>\n{body}\n</tool_response>")


def _json(value: Any) -> str:
    """Nothing that a user wrote can end the marks that stand around it."""
    try:
        return json.dumps(value, ensure_ascii=False).replace("</tool_", "<\\/tool_")
    except RecursionError:
        raise OstroError("a tool call, result or schema is nested too deeply") from None
