"""``/v1/chat/completions`` from the socket to the engine and back."""

import re

import pytest

from ostro.text.safe_prompt import SAFE_PROMPT
from server.conversation import (
    HELLO,
    TOOLS,
    ask,
    choice,
    events,
    refused,
    streamed_text,
    text_of,
    whole,
)
from tiny_chat import ANSWER, chat_ids, save_speller, text_ids

LENGTH = len(text_ids(ANSWER)) + 1  # EOS is a token, too.
PROMPT_LENGTH = len(chat_ids(("user", "Hello")))


def test_an_answer(spelling) -> None:
    body = whole(ask(spelling))
    assert body["object"] == "chat.completion"
    assert body["model"] == "mistral-small"
    assert re.fullmatch(r"[0-9a-f]{32}", body["id"])
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": ANSWER, "tool_calls": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (PROMPT_LENGTH, LENGTH)
    assert usage["total_tokens"] == PROMPT_LENGTH + LENGTH


def test_a_streamed_answer(spelling) -> None:
    chunks = events(ask(spelling, stream=True))
    assert streamed_text(chunks) == ANSWER
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
    assert all("role" not in chunk["choices"][0]["delta"] for chunk in chunks[1:])
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    assert ["usage" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["usage"]["completion_tokens"] == LENGTH
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1


def test_usage_of_a_stream_comes_apart_where_that_is_asked_for(spelling) -> None:
    chunks = events(ask(spelling, stream=True, stream_options={"include_usage": True}))
    assert ["usage" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["choices"] == []
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_several_answers(babbling, stream: bool) -> None:
    options = {"n": 3, "temperature": 1.0, "seed": 4, "max_tokens": 12}
    alone = whole(ask(babbling, **options))
    texts = [one["message"]["content"] for one in alone["choices"]]
    assert len(set(texts)) == 3
    assert [one["index"] for one in alone["choices"]] == [0, 1, 2]
    assert alone["usage"]["prompt_tokens"] == PROMPT_LENGTH
    assert alone["usage"]["completion_tokens"] == 36
    if stream:
        chunks = events(ask(babbling, stream=True, **options))
        assert [streamed_text(chunks, index) for index in range(3)] == texts
        assert chunks[-1]["usage"]["completion_tokens"] == 36


@pytest.mark.parametrize("name", ["seed", "random_seed"])
def test_a_seed_gives_the_same_answer_again(babbling, name: str) -> None:
    texts = [text_of(ask(babbling, temperature=1.0, max_tokens=20, **{name: 7})) for _ in "ab"]
    assert texts[0] == texts[1]
    assert texts[0] != text_of(ask(babbling, temperature=1.0, max_tokens=20, **{name: 8}))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_tokens(spelling, name: str) -> None:
    body = whole(ask(spelling, **{name: 5}))
    assert body["choices"][0]["message"]["content"] == "abcde"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("stream", [False, True])
def test_no_token_at_all_tells_of_the_prompt_alone(spelling, stream: bool) -> None:
    fields = {"max_tokens": 0, "prompt_logprobs": True, "prompt_routing": True, "logprobs": True}
    if stream:
        (chunk,) = events(ask(spelling, stream=True, **fields))
        found, usage = chunk["choices"][0], chunk["usage"]
        assert found["delta"]["content"] == ""
    else:
        body = whole(ask(spelling, **fields))
        found, usage = body["choices"][0], body["usage"]
        assert found["message"]["content"] == ""
    assert found["finish_reason"] == "length"
    assert found["logprobs"] is None
    assert len(found["prompt_logprobs"]["content"]) == PROMPT_LENGTH - 1
    assert len(found["prompt_routing"]) == PROMPT_LENGTH
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (PROMPT_LENGTH, 0)


def test_a_share_of_nothing_is_the_likeliest_token(babbling) -> None:
    greedy = text_of(ask(babbling, temperature=0, max_tokens=20))
    assert text_of(ask(babbling, temperature=1.5, top_p=0, max_tokens=20)) == greedy
    assert text_of(ask(babbling, max_tokens=20)) == greedy


def test_a_server_may_have_other_defaults(serve, babbler) -> None:
    _, client = serve(babbler, temperature=1.0, max_tokens=6)
    fields = {"seed": 1, "ignore_eos": True}
    found = choice(ask(client, **fields))
    assert found["finish_reason"] == "length"
    text = found["message"]["content"]
    assert text == text_of(ask(client, temperature=1, max_tokens=6, **fields))
    assert text != text_of(ask(client, temperature=0, max_tokens=6, **fields))


@pytest.mark.parametrize(("stop", "text"), [("d", "abc"), (["zz", "fg"], "abcde"), ("zz", ANSWER)])
@pytest.mark.parametrize("tools", [None, TOOLS])
def test_a_stop_text_is_not_told(spelling, stop, text: str, tools) -> None:
    client, fields = spelling, {"stop": stop, "tools": tools}
    found = choice(ask(client, **fields))
    assert (found["message"]["content"], found["finish_reason"]) == (text, "stop")
    chunks = events(ask(client, stream=True, **fields))
    assert streamed_text(chunks) == text
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_goes_on_from_a_prefix(spelling, stream: bool) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "say klm", "prefix": True}]
    response = ask(spelling, messages=messages, stream=stream)
    text = streamed_text(events(response)) if stream else text_of(response)
    assert text == "say klm" + ANSWER[ANSWER.index("n") :]


def test_a_prefix_does_not_go_with_tools(spelling) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "a", "prefix": True}]
    body = refused(ask(spelling, messages=messages, tools=TOOLS), 422)
    assert (body["param"], body["code"]) == ("messages", "contradiction")


def test_the_safe_prompt_comes_first(babbling) -> None:
    own = [{"role": "system", "content": "Be brief."}, *HELLO]
    for messages in (HELLO, own):
        written = [{"role": "system", "content": SAFE_PROMPT}, *messages]
        safe = whole(ask(babbling, messages=messages, safe_prompt=True, max_tokens=8))
        same = whole(ask(babbling, messages=written, max_tokens=8))
        assert safe["choices"] == same["choices"]
        assert safe["usage"]["prompt_tokens"] == same["usage"]["prompt_tokens"]
    assert safe["choices"] != whole(ask(babbling, messages=own, max_tokens=8))["choices"]


@pytest.mark.parametrize(
    "content",
    ["a\n\nb", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ["a", "b"]],
)
def test_content_may_come_in_chunks(babbling, content) -> None:
    text = text_of(ask(babbling, messages=[{"role": "user", "content": content}], max_tokens=8))
    assert text == text_of(
        ask(babbling, messages=[{"role": "user", "content": "a\n\nb"}], max_tokens=8)
    )


# ---- calls of functions ----


def test_calls(calling) -> None:
    found = choice(ask(calling, tools=TOOLS))
    assert found["finish_reason"] == "tool_calls"
    assert found["message"]["content"] == ""
    first, second = found["message"]["tool_calls"]
    assert first["function"] == {"name": "get", "arguments": '{"a": 1}'}
    assert second["function"] == {"name": "put", "arguments": "{}"}
    assert re.fullmatch(r"[a-zA-Z0-9]{9}", first["id"])
    assert first["id"] != second["id"]


def test_streamed_calls(calling) -> None:
    chunks = events(ask(calling, tools=TOOLS, stream=True))
    calls = [
        call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls") or ()
    ]
    assert [(call["index"], call["function"]["name"]) for call in calls] == [(0, "get"), (1, "put")]
    assert streamed_text(chunks) == ""
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_ids_of_calls_differ_between_answers(calling) -> None:
    body = whole(ask(calling, tools=TOOLS, n=2))
    ids = {call["id"] for one in body["choices"] for call in one["message"]["tool_calls"]}
    assert len(ids) == 4


def test_stop_texts_do_not_end_calls(calling) -> None:
    found = choice(ask(calling, tools=TOOLS, stop=["arguments"]))
    assert len(found["message"]["tool_calls"]) == 2


def test_a_conversation_goes_on_with_a_result(calling) -> None:
    answer = choice(ask(calling, tools=TOOLS))["message"]
    results = [
        {"role": "tool", "content": "7", "tool_call_id": call["id"]}
        for call in answer["tool_calls"]
    ]
    found = choice(ask(calling, messages=[*HELLO, answer, *results], tools=TOOLS))
    assert found["finish_reason"] == "tool_calls"


# ---- what may be asked about tokens ----


def test_logprobs_of_an_answer(spelling) -> None:
    entries = choice(ask(spelling, logprobs=True, top_logprobs=2))["logprobs"]["content"]
    assert len(entries) == LENGTH
    assert entries[0]["token"] == "a"
    assert entries[0]["bytes"] == [97]
    assert entries[0]["token_id"] == 97
    assert -0.01 < entries[0]["logprob"] <= 0
    assert entries[0]["top_logprobs"][0]["token"] == "a"
    assert len(entries[0]["top_logprobs"]) == 2
    plain = choice(ask(spelling, logprobs=True))["logprobs"]["content"]
    assert plain[0]["top_logprobs"] == []


def test_logprobs_of_a_stream_are_those_of_the_whole(babbling) -> None:
    fields = {"logprobs": True, "top_logprobs": 1, "max_tokens": 9}
    expected = choice(ask(babbling, **fields))["logprobs"]["content"]
    chunks = events(ask(babbling, stream=True, **fields))
    found = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [entry for one in found if one for entry in one["content"]] == expected


def test_logprobs_of_a_prompt(babbling) -> None:
    fields = {"prompt_logprobs": True, "top_prompt_logprobs": 1, "max_tokens": 3}
    found = choice(ask(babbling, **fields))
    entries = found["prompt_logprobs"]["content"]
    assert [entry["token_id"] for entry in entries] == chat_ids(("user", "Hello"))[1:]
    assert all(len(entry["top_logprobs"]) == 1 for entry in entries)
    chunks = events(ask(babbling, stream=True, **fields))
    assert chunks[0]["choices"][0]["prompt_logprobs"] == found["prompt_logprobs"]
    assert all("prompt_logprobs" not in chunk["choices"][0] for chunk in chunks[1:])


def test_routing_of_every_token(babbling, babbler) -> None:
    layers = babbler.model.geometry.num_layers
    found = choice(ask(babbling, routing=True, prompt_routing=True, max_tokens=4))
    assert len(found["routing"]) == 4
    assert len(found["prompt_routing"]) == PROMPT_LENGTH
    for entry in (*found["routing"], *found["prompt_routing"]):
        assert [len(experts) for experts in entry["experts"]] == [2] * layers
        assert all(abs(sum(weights) - 1) < 1e-5 for weights in entry["weights"])
    chunks = events(ask(babbling, routing=True, max_tokens=4, stream=True))
    told = [chunk["choices"][0].get("routing") or [] for chunk in chunks]
    assert [entry for one in told for entry in one] == found["routing"]


def test_steering_is_followed(babbling) -> None:
    layers = {"0": {"top_k": 1}, "1": {"force": [3]}, "2": {"forbid": [0, 1, 2]}}
    steering = {"layers": layers}
    found = choice(ask(babbling, routing=True, steering=steering, max_tokens=6))
    for entry in found["routing"]:
        first, second, third = entry["experts"]
        assert len(first) == 1
        assert 3 in second
        assert not {0, 1, 2} & set(third)


def test_steering_of_what_the_model_has_not_is_refused(babbling) -> None:
    for steering in ({"layers": {"9": {"force": [0]}}}, {"force": [99]}):
        assert refused(ask(babbling, steering=steering), 400)["code"] == "invalid_request"


# ---- what makes no sense ----


def test_an_order_that_makes_no_sense_is_refused(spelling) -> None:
    body = refused(ask(spelling, messages=[*HELLO, {"role": "assistant", "content": "a"}]), 400)
    assert "Expected last role" in body["message"]
    assert body["type"] == "invalid_request_error"


def test_a_prompt_beyond_the_context_is_refused_also_in_a_stream(spelling, speller) -> None:
    messages = [{"role": "user", "content": "x" * speller.context}]
    for stream in (False, True):
        body = refused(ask(spelling, messages=messages, stream=stream), 400)
        assert f"the context holds {speller.context}" in body["message"]


def test_an_answer_ends_where_the_context_does(babbling, babbler) -> None:
    messages = [{"role": "user", "content": "x" * (babbler.context - 40)}]
    body = whole(ask(babbling, messages=messages, max_tokens=1000, ignore_eos=True))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["total_tokens"] == babbler.context


def test_fields_are_checked(spelling) -> None:
    body = refused(ask(spelling, temperature=3), 422)
    assert (body["param"], body["code"]) == ("temperature", "less_than_equal")
    assert body["detail"][0]["loc"] == ["body", "temperature"]
    assert refused(ask(spelling, best_off=1), 422)["param"] == "best_off"
    assert refused(ask(spelling, model="other"), 404)["code"] == "unknown_model"


def test_a_body_must_be_json(spelling) -> None:
    for body, status in (
        (b"", 400),
        (b"{", 400),
        (b"[1", 400),
        (b"[]", 422),
        (b"x" * 5000000, 413),
    ):
        response = spelling.post("/v1/chat/completions", content=body)
        assert refused(response, status)["type"] == "invalid_request_error"


def test_a_model_without_a_template_does_not_chat(serve, make_llm) -> None:
    _, client = serve(make_llm(save_speller, "plain", template=None))
    assert refused(ask(client), 400)["code"] == "no_chat"
    response = client.post("/v1/chat/moderations", json={"model": "plain", "input": HELLO})
    assert refused(response, 400)["code"] == "no_chat"
    capabilities = client.get("/v1/models").json()["data"][0]["capabilities"]
    assert not any(capabilities.values())
