"""The keys and values that clients need: see also what their own models make of them."""

import json
import re

import pytest

from ostro.server.logprobs import LEAST, TokenLogprob, chat_logprobs, completion_logprobs
from ostro.server.responses import (
    Call,
    ChatChoice,
    Head,
    TextChoice,
    Told,
    Usage,
    chat_completion,
    moderation,
    text_completion,
)

HEAD = Head(model="mistral-small", id="i", created=7)
USAGE = Usage(prompt_tokens=15, completion_tokens=4, cached_tokens=2)
TOKENS = (
    TokenLogprob(1, b"<s>", None),
    TokenLogprob(5, b"ab", -0.5, (TokenLogprob(5, b"ab", -0.5), TokenLogprob(6, b"c", -2.0))),
    TokenLogprob(9, b"\xe2\x82", float("-inf")),
    TokenLogprob(8, b"d", -1.0),
)


def test_a_chat_has_what_every_client_needs() -> None:
    choice = ChatChoice(text="Hello", finish_reason="stop")
    assert chat_completion(HEAD, [choice], USAGE) == {
        "id": "i",
        "object": "chat.completion",
        "created": 7,
        "model": "mistral-small",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "tool_calls": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 15,
            "completion_tokens": 4,
            "total_tokens": 19,
            "num_cached_tokens": 2,
        },
    }


def test_values_of_usage_can_be_added_up() -> None:
    assert all(type(value) is int for value in USAGE.to_dict().values())


def test_calls_of_tools_stand_beside_an_empty_text() -> None:
    choice = ChatChoice(
        text="", finish_reason="tool_calls", tool_calls=[Call("get", '{"a": 1}'), Call("put", "{}")]
    )
    message = chat_completion(HEAD, [choice], USAGE)["choices"][0]["message"]
    assert message["content"] == ""
    first, second = message["tool_calls"]
    assert first["function"] == {"name": "get", "arguments": '{"a": 1}'}
    assert (first["type"], first["index"], second["index"]) == ("function", 0, 1)
    assert re.fullmatch(r"[A-Za-z0-9]{9}", first["id"])
    assert first["id"] != second["id"]


def test_heads_are_new_each_time() -> None:
    one, other = Head(model="m"), Head(model="m")
    assert re.fullmatch(r"[0-9a-f]{32}", one.id)
    assert one.id != other.id
    assert one.created > 1_700_000_000


def test_extras_come_where_they_were_asked_for() -> None:
    told = Told(logprobs=TOKENS[1:], prompt_logprobs=TOKENS, routing={"layers": []})
    choice = chat_completion(
        HEAD, [ChatChoice(text="x", finish_reason="length", told=told)], USAGE
    )["choices"][0]
    assert choice["routing"] == {"layers": []}
    assert [token["token_id"] for token in choice["logprobs"]["content"]] == [5, 9, 8]
    # The first of a prompt has no probability, and clients want a number.
    assert [token["token_id"] for token in choice["prompt_logprobs"]["content"]] == [5, 9, 8]


def test_a_completion_has_its_own_form() -> None:
    choices = [
        TextChoice(index=index, text="abd", finish_reason="length", told=Told(logprobs=TOKENS))
        for index in (0, 1)
    ]
    response = text_completion(HEAD, choices, USAGE)
    assert response["object"] == "text_completion"
    assert [choice["index"] for choice in response["choices"]] == [0, 1]
    assert response["choices"][0]["text"] == "abd"
    assert response["choices"][0]["logprobs"]["tokens"][1] == "ab"


def test_logprobs_of_a_chat() -> None:
    first, second, _ = chat_logprobs(TOKENS)["content"]
    assert first == {
        "token": "ab",
        "logprob": -0.5,
        "bytes": [97, 98],
        "token_id": 5,
        "top_logprobs": [
            {"token": "ab", "logprob": -0.5, "bytes": [97, 98], "token_id": 5},
            {"token": "c", "logprob": -2.0, "bytes": [99], "token_id": 6},
        ],
    }
    assert (second["token"], second["logprob"], second["bytes"]) == ("\ufffd", LEAST, [0xE2, 0x82])


def test_logprobs_of_a_completion() -> None:
    assert completion_logprobs(TOKENS, start=10) == {
        "tokens": ["<s>", "ab", "bytes:\\xe2\\x82", "d"],
        "token_logprobs": [None, -0.5, LEAST, -1.0],
        "top_logprobs": [None, {"ab": -0.5, "c": -2.0}, {}, {}],
        "text_offset": [10, 13, 15, 16],
    }
    assert completion_logprobs([])["text_offset"] == []


def test_the_likelier_of_two_tokens_with_one_name_stands() -> None:
    twins = (TokenLogprob(1, b"a", -1.0), TokenLogprob(2, b"a", -3.0))
    top = completion_logprobs([TokenLogprob(1, b"a", -1.0, twins)])["top_logprobs"]
    assert top == [{"a": -1.0}]


@pytest.mark.parametrize("logprob", [float("-inf"), float("nan"), -1e30])
def test_no_logprob_breaks_json(logprob: float) -> None:
    token = TokenLogprob(1, b"a", logprob, (TokenLogprob(1, b"a", logprob),))
    for shape in (chat_logprobs([token]), completion_logprobs([token])):
        assert str(LEAST) in json.dumps(shape, allow_nan=False)


def test_a_moderation_compares_scores() -> None:
    response = moderation("demo", [{"hate": 0.2, "violence": 0.5}, {"hate": 0.9}], 0.5)
    assert response["model"] == "demo"
    assert response["results"] == [
        {
            "categories": {"hate": False, "violence": True},
            "category_scores": {"hate": 0.2, "violence": 0.5},
        },
        {"categories": {"hate": True}, "category_scores": {"hate": 0.9}},
    ]
