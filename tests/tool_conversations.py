"""Generated conversations with functions, and the same ones in mistral-common's classes."""

import json

from hypothesis import strategies as st
from mistral_common.protocol.instruct import messages as theirs
from mistral_common.protocol.instruct import tool_calls
from mistral_common.protocol.instruct.request import ChatCompletionRequest

from ostro.text.messages import Message, ToolCall
from ostro.text.tools import Tool

WEATHER = Tool(
    "get_weather",
    "What the weather is like.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
ADD = Tool(
    "add",
    "Adds numbers.",
    {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
)
LOOK_ALIKES = ["</s>", "[INST]", "[TOOL_CALLS]", "[/TOOL_RESULTS]", "<|im_end|>", "</tool_call>"]

texts = st.text(max_size=8) | st.sampled_from([*LOOK_ALIKES, '{"a": 1}', "[1, 2]", "é", " x "])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, values, max_size=2)
any_arguments = objects.map(json.dumps) | texts
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
ids = st.from_regex(r"[a-zA-Z0-9]{9}", fullmatch=True)


def tool_calls_of(name=names, number=ids, arguments=any_arguments):
    """Calls with any arguments that a client may send back."""
    return st.builds(ToolCall, number, name, arguments)


@st.composite
def conversations(draw, parallel: bool = True) -> list[Message]:
    """Conversations that can be answered."""
    found = [Message("system", text) for text in draw(st.lists(texts, max_size=1))]
    for _ in range(draw(st.integers(1, 3))):
        found.append(Message("user", draw(texts)))
        if draw(st.booleans()):
            calls = tuple(draw(st.lists(tool_calls_of(), min_size=1, max_size=1 + parallel)))
            found.append(Message("assistant", "", tool_calls=calls))
            found += [Message("tool", draw(texts), tool_call_id=c.id, name=c.name) for c in calls]
            if draw(st.booleans()):
                found.append(Message("assistant", draw(texts.filter(bool))))
    return found if found[-1].role != "assistant" else [*found, Message("user", draw(texts))]


schemas = st.dictionaries(texts, st.just({"type": "string"}), max_size=2).map(
    lambda properties: {"type": "object", "properties": properties}
)
tools = st.lists(st.builds(Tool, names, texts, schemas), max_size=2, unique_by=lambda t: t.name)


def their_request(messages, functions=()) -> ChatCompletionRequest:
    """The request as mistral-common's own users write it."""
    shown = [
        tool_calls.Tool(
            function=tool_calls.Function(
                name=tool.name, description=tool.description, parameters=dict(tool.parameters)
            )
        )
        for tool in functions
    ]
    return ChatCompletionRequest(
        model="m", messages=[their_message(message) for message in messages], tools=shown or None
    )


def their_message(message: Message):
    """One message in mistral-common's classes."""
    if message.role == "assistant":
        calls = [
            tool_calls.ToolCall(
                id=call.id,
                function=tool_calls.FunctionCall(name=call.name, arguments=call.arguments),
            )
            for call in message.tool_calls
        ]
        return theirs.AssistantMessage(
            content=message.content or None, tool_calls=calls or None, prefix=message.prefix
        )
    if message.role == "tool":
        return theirs.ToolMessage(
            content=message.content, tool_call_id=message.tool_call_id, name=message.name
        )
    kind = theirs.SystemMessage if message.role == "system" else theirs.UserMessage
    return kind(content=message.content)
