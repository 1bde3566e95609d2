"""What OpenAI's client does with a server that speaks its language."""

from functools import partial

import openai
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
    return openai.OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)


def async_client(url):
    """The same for asyncio."""
    return openai.AsyncOpenAI(api_key="any", base_url=f"{url}/v1", max_retries=0)


def chat(url, key="any", **options):
    """One chat."""
    return client(url, key).chat.completions.create(model=MODEL, messages=USER, **options)


def _text(parts):
    return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)


def check_chat(world):
    found = chat(world.text)
    assert found.choices[0].message.content == world.answer
    assert found.choices[0].finish_reason == "stop"
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def check_chat_with_everything(world):
    found = client(world.text).chat.completions.create(
        model=MODEL,
        messages=[{"role": "developer", "content": "Be brief."}, *USER],
        seed=1,
        max_completion_tokens=5,
        max_tokens=5,
        logprobs=True,
        top_logprobs=2,
        logit_bias={"5": -100},
        n=2,
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        temperature=2,
        top_p=0,
        stop=["zz"],
        user="u",
        store=True,
        metadata={"a": "b"},
        service_tier="auto",
        prompt_cache_key="k",
        safety_identifier="s",
        response_format={"type": "text"},
        extra_body={
            "top_k": 5,
            "min_p": 0.01,
            "repetition_penalty": 1.01,
            "min_tokens": 1,
            "stop_token_ids": [7],
            "routing": True,
            "steering": {"layers": {"0": {"top_k": 1}, "1": {"force": [2], "forbid": [3]}}},
        },
    )
    assert [choice.index for choice in found.choices] == [0, 1]
    for choice in found.choices:
        assert world.answer.startswith(choice.message.content)
        assert len(choice.logprobs.content) == 5
        assert all(2 in entry["experts"][1] for entry in choice.routing)
    assert found.usage.completion_tokens == 10


def check_stream(world):
    parts = list(chat(world.text, stream=True))
    assert _text(parts) == world.answer
    assert parts[-1].usage.total_tokens > 0
    parts = list(chat(world.text, stream=True, stream_options={"include_usage": True}))
    assert _text(parts) == world.answer
    assert parts[-1].choices == []
    assert [part.usage is not None for part in parts] == [False] * (len(parts) - 1) + [True]


def check_streamed_logprobs(world):
    parts = list(chat(world.text, stream=True, logprobs=True))
    assert parts[0].choices[0].logprobs.content[0].token == world.answer[0]


async def check_async(world):
    async with async_client(world.text) as asking:
        create = partial(asking.chat.completions.create, model=MODEL, messages=USER)
        found = await create()
        assert found.choices[0].message.content == world.answer
        assert _text(await gathered(await create(stream=True))) == world.answer
        await raised_later(openai.UnprocessableEntityError, create(temperature=3))
        await raised_later(openai.UnprocessableEntityError, create(temperature=3, stream=True))


def check_calls(world):
    found = chat(world.call, tools=[TOOL])
    assert found.choices[0].finish_reason == "tool_calls"
    are_both_calls(found.choices[0].message.tool_calls)


def check_required_call(world):
    for choice in ("required", {"type": "function", "function": {"name": "get"}}):
        options = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": False}
        found = chat(world.call, **options)
        assert found.choices[0].finish_reason == "tool_calls"
        fit_the_tool(found.choices[0].message.tool_calls)


def check_accumulated_calls(world):
    completions = client(world.call).chat.completions
    with completions.stream(model=MODEL, messages=USER, tools=[TOOL]) as stream:
        final = stream.get_final_completion()
    are_both_calls(final.choices[0].message.tool_calls)


def check_results_go_back(world):
    answer = chat(world.call, tools=[TOOL]).choices[0].message
    for message in (answer, answer.model_dump()):
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": [{"type": "text", "text": "7"}]}
            for call in answer.tool_calls
        ]
        found = client(world.call).chat.completions.create(
            model=MODEL, messages=[*USER, message, *results], tools=[TOOL]
        )
        are_both_calls(found.choices[0].message.tool_calls)


def check_parse(world):
    parse = client(world.json).chat.completions.parse
    found = parse(model=MODEL, messages=USER, response_format=Outer)
    assert found.choices[0].message.parsed == Outer(**world.value)


def check_streamed_parse(world):
    completions = client(world.json).chat.completions
    with completions.stream(model=MODEL, messages=USER, response_format=Outer) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Outer(**world.value)


def check_completions(world):
    create = client(world.text).completions.create
    found = create(model=MODEL, prompt=["a\n", "b\n"], best_of=1, suffix=None)
    assert [choice.text for choice in found.choices] == [world.answer] * 2
    assert create(model=MODEL, prompt=[10]).choices[0].text == world.answer
    found = create(model=MODEL, prompt=[[97, 10], [98, 10]])
    assert [choice.text for choice in found.choices] == [world.answer] * 2


def check_likelihood_of_a_text(world):
    found = client(world.text).completions.create(
        model=MODEL, prompt="\nWhy", echo=True, logprobs=2, max_tokens=0
    )
    told = found.choices[0].logprobs
    assert found.choices[0].text == "\nWhy"
    assert "".join(told.tokens) == "\nWhy"
    assert told.token_logprobs[0] is None
    assert all(value > -0.01 for value in told.token_logprobs[2:])
    assert told.text_offset[-3:] == [1, 2, 3]


def check_streamed_completions(world):
    create = client(world.text).completions.create
    parts = list(
        create(
            model=MODEL,
            prompt="\n",
            stream=True,
            logprobs=0,
            stream_options={"include_usage": True, "include_obfuscation": False},
        )
    )
    assert "".join(part.choices[0].text for part in parts if part.choices) == world.answer
    assert parts[1].choices[0].logprobs.text_offset == [1]
    assert parts[-1].usage.completion_tokens > 0


def check_models(world):
    models = client(world.text).models
    assert [card.id for card in models.list()] == ["text"]
    assert models.retrieve(MODEL).id == MODEL


def check_errors(world):
    order = [*USER, {"role": "assistant", "content": "Hello"}]
    cases = [
        (world.text, "nobody", USER, openai.NotFoundError, "unknown_model"),
        (world.text, MODEL, order, openai.BadRequestError, "invalid_request"),
        (world.limited, MODEL, USER, openai.AuthenticationError, "invalid_api_key"),
        (world.stopping, MODEL, USER, openai.InternalServerError, "unavailable"),
        (world.broken, MODEL, USER, openai.InternalServerError, "internal_error"),
    ]
    for url, model, messages, kind, code in cases:
        create = client(url).chat.completions.create
        for options in {}, {"stream": True}:
            if url == world.broken and options:
                continue  # It breaks later, which is another check.
            error = raised(kind, partial(create, model=model, messages=messages, **options))
            assert error.code == code
            assert error.body["message"]


def check_wrong_field_is_422(world):
    error = raised(openai.UnprocessableEntityError, partial(chat, world.text, temperature=3))
    assert (error.param, error.code) == ("temperature", "less_than_equal")
    assert error.type == "invalid_request_error"


def check_too_many_requests_are_429(world):
    chat(world.limited, world.key, max_tokens=1)
    error = raised(openai.RateLimitError, partial(chat, world.limited, world.key))
    assert error.code == "rate_limited"
    assert 1 <= int(error.response.headers["retry-after"]) <= 60


def check_stream_that_fails_is_an_error(world):
    count, error = cut_short(chat(world.broken, stream=True))
    assert count == world.before_failure
    assert type(error) is openai.APIError
    assert "the server failed" in error.message


def check_no_server_is_a_connection_error(world):
    raised(openai.APIConnectionError, partial(chat, world.nobody))


def check_what_is_not_served(world):
    asking = client(world.text)
    cases = [
        partial(asking.embeddings.create, model=MODEL, input="a"),
        partial(asking.responses.create, model=MODEL, input="a"),
        partial(asking.moderations.create, input="a"),
        asking.files.list,
    ]
    for call in cases:
        assert raised(openai.NotFoundError, call).code == "unknown_path"
