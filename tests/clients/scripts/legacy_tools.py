"""What came with mistralai 0.1: functions, response formats, errors of streams."""

import json

from expect import TOOL, are_both_calls, fit_the_tool, raised, raised_later
from httpx import ResponseNotRead
from legacy import MODEL, async_client, client, user
from mistralai.client import MistralClient
from mistralai.exceptions import MistralAPIException
from mistralai.models.chat_completion import ChatMessage


def _are_calls(calls):
    are_both_calls(calls)
    assert all(len(call.id) == 9 for call in calls)


def check_calls(world):
    found = client(world.call).chat(user(), model=MODEL, tools=[TOOL])
    assert found.choices[0].finish_reason.value == "tool_calls"
    assert found.choices[0].message.content == ""
    _are_calls(found.choices[0].message.tool_calls)


def check_required_call(world):
    # It cannot ask for a single call, so that a lost model may call until it is stopped.
    options = {"tool_choice": "any", "max_tokens": 200}
    found = client(world.call).chat(user(), model=MODEL, tools=[TOOL], **options)
    assert found.choices[0].finish_reason.value in ("tool_calls", "length")
    fit_the_tool(found.choices[0].message.tool_calls)


def check_streamed_calls(world):
    parts = list(client(world.call).chat_stream(user(), model=MODEL, tools=[TOOL]))
    calls = [call for part in parts for call in part.choices[0].delta.tool_calls or ()]
    _are_calls(calls)
    assert parts[-1].choices[0].finish_reason.value == "tool_calls"


def check_results_go_back(world):
    asking = client(world.call)
    answer = asking.chat(user(), model=MODEL, tools=[TOOL]).choices[0].message
    has_ids = "tool_call_id" in getattr(ChatMessage, "model_fields", {})
    results = [
        ChatMessage(
            role="tool", name="get", content="7", **({"tool_call_id": call.id} if has_ids else {})
        )
        for call in answer.tool_calls
    ]
    found = asking.chat([*user(), answer, *results], model=MODEL, tools=[TOOL])
    assert found.choices[0].finish_reason.value == "tool_calls"


def check_no_calls_where_none_are_wanted(world):
    found = client(world.text).chat(user(), model=MODEL, tools=[TOOL], tool_choice="none")
    assert found.choices[0].message.content == world.answer
    assert found.choices[0].message.tool_calls is None


def check_response_formats(world):
    found = client(world.text).chat(user(), model=MODEL, response_format={"type": "text"})
    assert found.choices[0].message.content == world.answer
    found = client(world.json).chat(user(), model=MODEL, response_format={"type": "json_object"})
    assert json.loads(found.choices[0].message.content) == world.value


def check_error_of_a_stream(world):
    stream = client(world.text).chat_stream(user(), model="nobody")
    error = raised(MistralAPIException, lambda: list(stream))
    assert error.http_status == 404
    # Of those that it would try again it does not read the body.
    stream = MistralClient("any", world.stopping, 1).chat_stream(user(), model=MODEL)
    raised(ResponseNotRead, lambda: list(stream))


async def check_async_calls(world):
    async with async_client(world.call) as asking:
        found = await asking.chat(user(), model=MODEL, tools=[TOOL])
        _are_calls(found.choices[0].message.tool_calls)


async def check_async_error_of_a_stream(world):
    async def ask():
        async with async_client(world.text) as asking:
            return [part async for part in asking.chat_stream(user(), model="nobody")]

    error = await raised_later(MistralAPIException, ask())
    assert error.http_status == 404
