"""What langchain-mistralai does."""

from functools import partial
from typing import Annotated

from expect import cut_short, raised, raised_later
from httpx import HTTPStatusError
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_mistralai import ChatMistralAI, MistralAIEmbeddings
from pydantic import BaseModel, ConfigDict, Field, create_model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

QUESTION = "Tell me a joke about sharks"
Digit = Annotated[int, Field(ge=0, le=9)]


class Inner(BaseModel):
    """A part of an answer."""

    z: int


class Outer(BaseModel):
    """The form of an answer."""

    x: Inner
    y: str


@tool
def get(a: Digit) -> str:
    """Get a number."""
    return str(a)


def chat(url, key="any", **options):
    """As its documentation makes it, but for the address."""
    options = {"model": "mistral-small", "max_retries": 0, **options}
    return ChatMistralAI(api_key=key, base_url=f"{url}/v1", **options)


def check_invoke(world):
    found = chat(world.text).invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)])
    assert found.content == world.answer
    usage = found.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert found.response_metadata["finish_reason"] == "stop"


def check_options(world):
    options = {"safe_mode": True, "random_seed": 4, "max_tokens": 7, "top_p": 0.5}
    found = chat(world.text, **options).invoke(QUESTION)
    assert found.response_metadata["finish_reason"] == "length"
    plain = chat(world.text).invoke(QUESTION)
    tokens = [one.usage_metadata["input_tokens"] for one in (found, plain)]
    assert tokens[0] > tokens[1] + 100
    assert chat(world.text).invoke(QUESTION, stop=["did"]).content == "Why "


def check_batch_adds_up_usage(world):
    found = chat(world.text).generate([[HumanMessage("a")], [HumanMessage("bc")]])
    assert [one[0].text for one in found.generations] == [world.answer] * 2
    alone = [one[0].message.usage_metadata["total_tokens"] for one in found.generations]
    assert found.llm_output["token_usage"]["total_tokens"] == sum(alone)


def check_stream(world):
    first, *rest = chat(world.text).stream(QUESTION)
    found = sum(rest, first)
    assert found.content == world.answer
    assert found.usage_metadata == chat(world.text).invoke(QUESTION).usage_metadata


async def check_async(world):
    asking = chat(world.text)
    assert (await asking.ainvoke(QUESTION)).content == world.answer
    parts = [part async for part in asking.astream(QUESTION)]
    assert "".join(part.content for part in parts) == world.answer
    error = await raised_later(HTTPStatusError, chat(world.text, model="nobody").ainvoke(QUESTION))
    assert error.response.status_code == 404


def check_calls(world):
    found = chat(world.call).bind_tools([get]).invoke(QUESTION)
    assert [call["args"] for call in found.tool_calls] == [{"a": 1}, {"a": 2}]


def check_required_call(world):
    for choice in ("any", "get"):
        asking = chat(world.call, temperature=0).bind_tools([get], tool_choice=choice)
        calls = asking.invoke(QUESTION).tool_calls
        assert calls
        assert all(type(call["args"]["a"]) is int for call in calls)


def check_streamed_calls(world):
    first, *rest = chat(world.call).bind_tools([get]).stream(QUESTION)
    found = sum(rest, first)
    assert [call["args"] for call in found.tool_calls] == [{"a": 1}, {"a": 2}]


def check_results_go_back(world):
    asking = chat(world.call).bind_tools([get])
    answer = asking.invoke(QUESTION)
    results = [ToolMessage("7", tool_call_id=call["id"]) for call in answer.tool_calls]
    found = asking.invoke([HumanMessage(QUESTION), answer, *results])
    assert len(found.tool_calls) == 2


def check_structured_output_by_calling(world):
    form = create_model("get", __config__=ConfigDict(extra="forbid"), a=(Digit, ...))
    asking = chat(world.call, temperature=0)
    structured = asking.with_structured_output(form, method="function_calling")
    assert isinstance(structured.invoke(QUESTION), form)


def check_structured_output_by_schema(world):
    structured = chat(world.json).with_structured_output(Outer, method="json_schema")
    assert structured.invoke(QUESTION) == Outer(**world.value)


def check_structured_output_by_json_mode(world):
    structured = chat(world.json).with_structured_output(Outer, method="json_mode")
    assert structured.invoke(QUESTION) == Outer(**world.value)


def check_errors(world):
    cases = [
        (chat(world.text, model="nobody"), 404),
        (chat(world.text, random_seed=-1), 422),
        (chat(world.limited, "wrong"), 401),
        (chat(world.stopping), 503),
        (chat(world.broken), 500),
    ]
    for asking, status in cases:
        error = raised(HTTPStatusError, partial(asking.invoke, QUESTION))
        assert error.response.status_code == status


def check_too_many_requests_are_429(world):
    chat(world.limited, world.key, max_tokens=1).invoke(QUESTION)
    error = raised(HTTPStatusError, partial(chat(world.limited, world.key).invoke, QUESTION))
    assert error.response.status_code == 429


def check_stream_that_fails_is_an_error(world):
    count, _ = cut_short(chat(world.broken).stream(QUESTION))
    assert count == world.before_failure


def check_embeddings_are_404(world):
    # With a tokenizer of its own it does not look for one on a hub.
    asking = MistralAIEmbeddings(
        api_key="any",
        endpoint=f"{world.text}/v1/",
        max_retries=1,
        tokenizer=Tokenizer(WordLevel({"a": 0}, unk_token="a")),
    )
    error = raised(HTTPStatusError, partial(asking.embed_query, "a"))
    assert error.response.status_code == 404
