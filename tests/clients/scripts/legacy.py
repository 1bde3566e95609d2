"""What mistralai 0.0.12, 0.1.8 and 0.4.2 all do."""

import contextlib

from expect import cut_short, gathered, raised, raised_later
from mistralai.async_client import MistralAsyncClient
from mistralai.client import MistralClient
from mistralai.exceptions import (
    MistralAPIException,
    MistralAPIStatusException,
    MistralConnectionException,
)
from mistralai.models.chat_completion import ChatMessage
from pydantic import ValidationError

MODEL = "mistral-small"


def client(url, key="any"):
    """As the guide makes it, but for the address."""
    return MistralClient(api_key=key, endpoint=url, max_retries=1)


@contextlib.asynccontextmanager
async def async_client(url):
    """The same for asyncio."""
    made = MistralAsyncClient(api_key="any", endpoint=url, max_retries=1)
    yield made
    await made.close()


def user(text="Tell me a joke about sharks"):
    """A question."""
    return [ChatMessage(role="user", content=text)]


def _is_answer(found, world):
    choice = found.choices[0]
    assert found.object == "chat.completion"
    assert found.model == MODEL
    assert len(found.id) == 32
    assert choice.message.content == world.answer
    assert choice.message.role == "assistant"
    assert choice.finish_reason.value == "stop"
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def _is_stream(parts, world):
    assert "".join(part.choices[0].delta.content or "" for part in parts) == world.answer
    assert parts[0].choices[0].delta.role == "assistant"
    assert all(part.choices[0].finish_reason is None for part in parts[:-1])
    assert parts[-1].choices[0].finish_reason.value == "stop"
    assert {(part.id, part.model, part.object) for part in parts} == {
        (parts[0].id, MODEL, "chat.completion.chunk")
    }


def check_chat(world):
    _is_answer(client(world.text).chat(model=MODEL, messages=user()), world)


def check_chat_with_every_option(world):
    options = {"temperature": 0.5, "max_tokens": 5, "top_p": 0.9, "random_seed": 3}
    found = client(world.text).chat(model=MODEL, messages=user(), **options)
    assert found.choices[0].finish_reason.value == "length"
    assert found.usage.completion_tokens == 5
    assert world.answer.startswith(found.choices[0].message.content)


def check_safe_mode_and_safe_prompt(world):
    plain, *safe = (
        client(world.text).chat(model=MODEL, messages=user(), **options)
        for options in ({}, {"safe_mode": True}, {"safe_prompt": True})
    )
    for found in safe:
        assert found.usage.prompt_tokens > plain.usage.prompt_tokens + 100


def check_conversation_with_system(world):
    messages = [
        ChatMessage(role="system", content="Be brief."),
        *user("Hi"),
        ChatMessage(role="assistant", content="Hello"),
        *user(),
    ]
    _is_answer(client(world.text).chat(model=MODEL, messages=messages), world)


def check_stream(world):
    parts = list(client(world.text).chat_stream(model=MODEL, messages=user()))
    _is_stream(parts, world)


def check_models(world):
    found = client(world.text).list_models()
    assert found.object == "list"
    assert [card.id for card in found.data] == ["text"]
    assert found.data[0].created > 1_700_000_000


async def check_async_chat(world):
    async with async_client(world.text) as asking:
        _is_answer(await asking.chat(model=MODEL, messages=user()), world)


async def check_async_stream(world):
    async with async_client(world.text) as asking:
        parts = await gathered(asking.chat_stream(model=MODEL, messages=user()))
    _is_stream(parts, world)


async def check_async_models(world):
    async with async_client(world.text) as asking:
        assert (await asking.list_models()).data[0].id == "text"


async def check_async_errors(world):
    async with async_client(world.text) as asking:
        error = await raised_later(
            MistralAPIException, asking.chat(model="nobody", messages=user())
        )
        assert error.http_status == 404
    async with async_client(world.stopping) as asking:
        await raised_later(MistralAPIStatusException, asking.chat(model=MODEL, messages=user()))


def check_unknown_model_is_404(world):
    error = raised(
        MistralAPIException, lambda: client(world.text).chat(model="nobody", messages=user())
    )
    assert error.http_status == 404
    assert "unknown model 'nobody'" in str(error)


def check_wrong_field_is_422(world):
    asking = client(world.text)
    error = raised(
        MistralAPIException, lambda: asking.chat(model=MODEL, messages=user(), temperature=3)
    )
    assert error.http_status == 422
    assert "temperature must be" in str(error)


def check_wrong_order_is_400(world):
    messages = [*user(), ChatMessage(role="assistant", content="Hello")]
    error = raised(
        MistralAPIException, lambda: client(world.text).chat(model=MODEL, messages=messages)
    )
    assert error.http_status == 400
    assert "Expected last role" in str(error)


def check_wrong_key_is_401(world):
    asking = client(world.limited, "wrong")
    error = raised(MistralAPIException, lambda: asking.chat(model=MODEL, messages=user()))
    assert error.http_status == 401
    assert "wrong API key" in str(error)


def check_too_many_requests_are_429(world):
    asking = client(world.limited, world.key)
    asking.chat(model=MODEL, messages=user(), max_tokens=1)
    error = raised(MistralAPIStatusException, lambda: asking.chat(model=MODEL, messages=user()))
    assert error.http_status == 429
    assert "requests a minute" in str(error)


def check_stopping_server_is_503(world):
    asking = client(world.stopping)
    error = raised(MistralAPIStatusException, lambda: asking.chat(model=MODEL, messages=user()))
    assert error.http_status == 503


def check_failure_is_500(world):
    asking = client(world.broken)
    error = raised(MistralAPIStatusException, lambda: asking.chat(model=MODEL, messages=user()))
    assert error.http_status == 500


def check_stream_that_fails_is_an_error(world):
    stream = client(world.broken).chat_stream(model=MODEL, messages=user())
    count, error = cut_short(stream)
    assert count == world.before_failure
    assert isinstance(error, ValidationError)


def check_no_server_is_a_connection_error(world):
    asking = client(world.nobody)
    raised(MistralConnectionException, lambda: asking.chat(model=MODEL, messages=user()))


def check_embeddings_are_404(world):
    asking = client(world.text)
    error = raised(MistralAPIException, lambda: asking.embeddings("mistral-embed", ["a"]))
    assert error.http_status == 404
    assert "no such path" in str(error)
