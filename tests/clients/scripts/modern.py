"""What mistralai 1, 2 and 3 all do."""

import json
from functools import partial

import mistralai
from expect import (
    TOOL,
    USER,
    are_both_calls,
    cut_short,
    fit_the_tool,
    gathered,
    raised,
    raised_later,
)
from pydantic import BaseModel

if hasattr(mistralai, "Mistral"):  # It moved in 2.0.
    from mistralai import Mistral
    from mistralai.models import HTTPValidationError, SDKError
else:
    from mistralai.client import Mistral
    from mistralai.client.errors import HTTPValidationError, SDKError

MODEL = "mistral-small"


class Inner(BaseModel):
    """A part of an answer."""

    z: int


class Outer(BaseModel):
    """The form of an answer."""

    x: Inner
    y: str


def client(url, key="any"):
    """As its documentation makes it, but for the address."""
    return Mistral(api_key=key, server_url=url)


def _is_answer(found, world):
    choice = found.choices[0]
    assert found.model == MODEL
    assert choice.message.content == world.answer
    assert choice.finish_reason == "stop"
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def _is_stream(parts, world):
    chunks = [part.data for part in parts]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == world.answer
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].choices[0].finish_reason == "stop"


def _are_calls(calls):
    are_both_calls(calls)
    assert [call.index for call in calls] == [0, 1]


def check_chat(world):
    _is_answer(client(world.text).chat.complete(model=MODEL, messages=USER), world)


def check_chat_with_nulls(world):
    names = ("temperature", "max_tokens", "random_seed", "metadata", "tools", "n", "prompt_mode")
    found = client(world.text).chat.complete(
        model=MODEL, messages=USER, **dict.fromkeys(names), parallel_tool_calls=True
    )
    _is_answer(found, world)


def check_chat_with_options(world):
    found = client(world.text).chat.complete(
        model=MODEL,
        messages=USER,
        temperature=0.5,
        top_p=0.9,
        max_tokens=5,
        random_seed=3,
        presence_penalty=0.1,
        frequency_penalty=0,
        n=2,
        stop=["zz"],
    )
    assert [choice.index for choice in found.choices] == [0, 1]
    assert [choice.finish_reason for choice in found.choices] == ["length"] * 2
    assert found.usage.completion_tokens == 10


def check_safe_prompt(world):
    asking = client(world.text)
    plain, safe = (
        asking.chat.complete(model=MODEL, messages=USER, safe_prompt=safe) for safe in (False, True)
    )
    assert safe.usage.prompt_tokens > plain.usage.prompt_tokens + 100


def check_stop_text(world):
    found = client(world.text).chat.complete(model=MODEL, messages=USER, stop="shark")
    assert found.choices[0].message.content == world.answer.partition("shark")[0]


def check_chunks_and_prefix(world):
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "Say it."}]},
        {"role": "assistant", "content": "So:\n", "prefix": True},
    ]
    found = client(world.text).chat.complete(model=MODEL, messages=messages)
    assert found.choices[0].message.content == "So:\n" + world.answer


def check_stream(world):
    _is_stream(list(client(world.text).chat.stream(model=MODEL, messages=USER)), world)


async def check_async_chat(world):
    async with client(world.text) as asking:
        _is_answer(await asking.chat.complete_async(model=MODEL, messages=USER), world)


async def check_async_stream(world):
    async with client(world.text) as asking:
        stream = await asking.chat.stream_async(model=MODEL, messages=USER)
        _is_stream(await gathered(stream), world)


async def check_async_errors(world):
    async with client(world.text) as asking:
        ask = partial(asking.chat.complete_async, model=MODEL, messages=USER, temperature=3)
        await raised_later(HTTPValidationError, ask())
        ask = partial(asking.chat.stream_async, model="nobody", messages=USER)
        error = await raised_later(SDKError, ask())
        assert error.status_code == 404


def check_calls(world):
    found = client(world.call).chat.complete(model=MODEL, messages=USER, tools=[TOOL])
    assert found.choices[0].finish_reason == "tool_calls"
    _are_calls(found.choices[0].message.tool_calls)


def check_required_call(world):
    ask = partial(client(world.call).chat.complete, model=MODEL, messages=USER, tools=[TOOL])
    function = {"function": {"name": "get"}}
    for choice in ("any", "required", function, {"type": "function", **function}):
        found = ask(tool_choice=choice, parallel_tool_calls=False)
        assert found.choices[0].finish_reason == "tool_calls"
        fit_the_tool(found.choices[0].message.tool_calls)


def check_streamed_calls(world):
    parts = list(client(world.call).chat.stream(model=MODEL, messages=USER, tools=[TOOL]))
    _are_calls([call for part in parts for call in part.data.choices[0].delta.tool_calls or ()])
    assert parts[-1].data.choices[0].finish_reason == "tool_calls"


def check_results_go_back(world):
    asking = client(world.call)
    answer = asking.chat.complete(model=MODEL, messages=USER, tools=[TOOL]).choices[0].message
    results = [
        {"role": "tool", "content": "7", "name": "get", "tool_call_id": call.id}
        for call in answer.tool_calls
    ]
    found = asking.chat.complete(model=MODEL, messages=[*USER, answer, *results], tools=[TOOL])
    _are_calls(found.choices[0].message.tool_calls)


def check_arguments_as_an_object(world):
    call = {"id": "abcdefghi", "function": {"name": "get", "arguments": {"a": 1}}}
    messages = [
        *USER,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "1", "tool_call_id": "abcdefghi"},
    ]
    _is_answer(client(world.text).chat.complete(model=MODEL, messages=messages), world)


def check_parse(world):
    found = client(world.json).chat.parse(Outer, model=MODEL, messages=USER)
    assert found.choices[0].message.parsed == Outer(**world.value)


def check_streamed_parse(world):
    stream = client(world.json).chat.parse_stream(Outer, model=MODEL, messages=USER)
    text = "".join(part.data.choices[0].delta.content or "" for part in stream)
    assert Outer.model_validate_json(text) == Outer(**world.value)


def check_json_object(world):
    found = client(world.json).chat.complete(
        model=MODEL, messages=USER, response_format={"type": "json_object"}
    )
    assert json.loads(found.choices[0].message.content) == world.value


def check_models(world):
    asking = client(world.text)
    (card,) = asking.models.list().data
    assert card.id == "text"
    assert card.capabilities.completion_chat
    assert not card.capabilities.completion_fim
    assert card.max_context_length == world.context
    assert asking.models.retrieve(model_id=MODEL).id == MODEL
    error = raised(SDKError, lambda: asking.models.retrieve(model_id="nobody"))
    assert error.status_code == 404


def check_moderation(world):
    judge = client(world.text).classifiers.moderate_chat
    (one,) = judge(model=MODEL, inputs=USER).results
    assert {"violence_and_threats", "selfharm", "pii"} <= set(one.categories)
    assert all(0 <= score <= 1 for score in one.category_scores.values())
    assert len(judge(model=MODEL, inputs=[USER, USER]).results) == 2


def check_wrong_field_is_422(world):
    asking = client(world.text)
    for ask in (asking.chat.complete, asking.chat.stream):
        call = partial(ask, model=MODEL, messages=USER, temperature=3)
        error = raised(HTTPValidationError, call)
        (detail,) = error.data.detail
        assert detail.loc == ["body", "temperature"]
        assert detail.msg.startswith("must be less than or equal to 2")


def check_other_errors(world):
    order = [*USER, {"role": "assistant", "content": "Hello"}]
    cases = [
        (world.text, "nobody", USER, 404, "unknown_model"),
        (world.text, MODEL, order, 400, "Expected last role"),
        (world.stopping, MODEL, USER, 503, "unavailable"),
        (world.limited, MODEL, USER, 401, "invalid_api_key"),
        (world.broken, MODEL, USER, 500, "internal_error"),
    ]
    for url, model, messages, status, words in cases:
        call = partial(client(url).chat.complete, model=model, messages=messages)
        error = raised(SDKError, call)
        assert error.status_code == status
        assert words in error.body


def check_too_many_requests_are_429(world):
    ask = partial(client(world.limited, world.key).chat.complete, model=MODEL, messages=USER)
    ask(max_tokens=1)
    error = raised(SDKError, ask)
    assert error.status_code == 429
    assert 1 <= int(error.headers["retry-after"]) <= 60
    stream = partial(client(world.limited, world.key).chat.stream, model=MODEL, messages=USER)
    assert raised(SDKError, stream).status_code == 429


def check_stream_that_fails_is_an_error(world):
    count, _ = cut_short(client(world.broken).chat.stream(model=MODEL, messages=USER))
    assert count == world.before_failure


def check_what_is_not_served(world):
    asking = client(world.text)
    cases = [
        (partial(asking.fim.complete, model=MODEL, prompt="a", suffix="b"), 400),
        (partial(asking.embeddings.create, model="mistral-embed", inputs=["a"]), 404),
        (partial(asking.agents.complete, agent_id="a", messages=USER), 404),
        (asking.files.list, 404),
        (asking.batch.jobs.list, 404),
        (partial(asking.classifiers.moderate, model=MODEL, inputs=["a"]), 404),
        (partial(asking.models.delete, model_id="text"), 405),
    ]
    for call, status in cases:
        assert raised(SDKError, call).status_code == status
