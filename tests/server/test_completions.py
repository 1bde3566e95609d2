"""``/v1/completions`` from the socket to the engine and back."""

import pytest

from server.conversation import ask_text, choice, events, refused, streamed_text, text_of, whole
from tiny_chat import ANSWER, BOS, text_ids


def test_a_text_goes_on(spelling) -> None:
    body = whole(ask_text(spelling, prompt="xyz"))
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "text": "é", "finish_reason": "stop", "logprobs": None}]
    assert body["usage"]["prompt_tokens"] == 4  # BOS is one.
    assert body["usage"]["completion_tokens"] == 3


def test_a_streamed_text(spelling) -> None:
    chunks = events(ask_text(spelling, prompt="\n", stream=True))
    assert streamed_text(chunks) == ANSWER
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == len(text_ids(ANSWER)) + 1
    apart = events(
        ask_text(spelling, prompt="\n", stream=True, stream_options={"include_usage": True})
    )
    assert ["usage" in chunk for chunk in apart] == [False] * (len(apart) - 1) + [True]


@pytest.mark.parametrize("stream", [False, True])
def test_several_prompts_with_several_answers_each(spelling, stream: bool) -> None:
    response = ask_text(spelling, prompt=["a", "x"], n=2, max_tokens=2, stream=stream)
    if stream:
        chunks = events(response)
        texts, usage = [streamed_text(chunks, i) for i in range(4)], chunks[-1]["usage"]
    else:
        body = whole(response)
        texts, usage = [one["text"] for one in body["choices"]], body["usage"]
    assert texts == ["bc", "bc", "yz", "yz"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 8)


def test_prompts_may_be_tokens(spelling) -> None:
    assert text_of(ask_text(spelling, prompt=text_ids("\nab"), max_tokens=2)) == "cd"
    body = whole(ask_text(spelling, prompt=[[97], [98, 99]], max_tokens=1))
    assert [one["text"] for one in body["choices"]] == ["b", "d"]
    assert body["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prompt", ["ab", text_ids("ab")])
def test_an_echo_begins_the_answer(spelling, prompt, stream: bool) -> None:
    response = ask_text(spelling, prompt=prompt, echo=True, max_tokens=2, stream=stream)
    assert (streamed_text(events(response)) if stream else text_of(response)) == "abcd"


def test_logprobs_of_an_answer(spelling) -> None:
    told = choice(ask_text(spelling, prompt="a", logprobs=2, max_tokens=3))["logprobs"]
    assert told["tokens"] == ["b", "c", "d"]
    assert told["text_offset"] == [0, 1, 2]
    assert all(-0.01 < value <= 0 for value in told["token_logprobs"])
    assert [len(top) for top in told["top_logprobs"]] == [2, 2, 2]
    assert told["top_logprobs"][0]["b"] == told["token_logprobs"][0]
    none = choice(ask_text(spelling, prompt="a", logprobs=0, max_tokens=1))["logprobs"]
    assert none["top_logprobs"] == [{}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit", [0, 1])
def test_an_echo_with_logprobs_tells_the_prompts_tokens_too(
    babbling, babbler, stream: bool, limit: int
) -> None:
    """As programs that measure the likelihood of given answers ask for it."""
    prompt = text_ids("some text")
    fields = {"prompt": prompt, "echo": True, "logprobs": 2, "max_tokens": limit}
    response = ask_text(babbling, stream=stream, **fields)
    if stream:
        chunk, *_ = events(response)
        found = chunk["choices"][0]
    else:
        found = choice(response)
    told = found["logprobs"]
    assert told["tokens"][: len(prompt)] == list("some text")
    assert len(told["tokens"]) == len(prompt) + limit
    assert told["text_offset"][: len(prompt)] == list(range(len(prompt)))
    assert (told["token_logprobs"][0], told["top_logprobs"][0]) == (None, None)
    logits = babbler.logits(prompt).log_softmax(-1)
    expected = [logits[i, prompt[i + 1]].item() for i in range(len(prompt) - 1)]
    assert told["token_logprobs"][1 : len(prompt)] == pytest.approx(expected, abs=1e-4)
    assert [len(top) for top in told["top_logprobs"][1:]] == [2] * (len(prompt) - 1 + limit)
    assert "prompt_logprobs" not in found


def test_every_answer_has_the_echo_with_its_logprobs(babbling) -> None:
    fields = {"echo": True, "logprobs": 0, "temperature": 1, "seed": 2, "ignore_eos": True}
    body = whole(ask_text(babbling, prompt=["ab", "c"], n=2, max_tokens=3, **fields))
    told = [one["logprobs"] for one in body["choices"]]
    # Where BOS comes first it is told as a token that adds nothing to the text.
    assert [one["tokens"][:3] for one in told[:2]] == [["", "a", "b"]] * 2
    assert [one["tokens"][:2] for one in told[2:]] == [["", "c"]] * 2
    assert [len(one["tokens"]) for one in told] == [6, 6, 5, 5]
    assert told[0]["token_logprobs"][1:3] == told[1]["token_logprobs"][1:3]
    assert told[0]["text_offset"][:4] == [0, 0, 1, 2]


def test_an_echo_and_the_prompts_logprobs_do_not_mix(babbling) -> None:
    fields = {"prompt_logprobs": True, "top_prompt_logprobs": 3, "echo": True, "logprobs": 1}
    found = choice(ask_text(babbling, prompt="abc", max_tokens=1, **fields))
    assert [len(entry["top_logprobs"]) for entry in found["prompt_logprobs"]["content"]] == [3] * 3
    assert [len(top) for top in found["logprobs"]["top_logprobs"][1:]] == [1] * 4


def test_no_token_and_no_echo_is_an_empty_answer(spelling) -> None:
    body = whole(ask_text(spelling, prompt="a", max_tokens=0))
    assert body["choices"][0]["text"] == ""
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 0


def test_a_stop_text_leaves_an_echo_alone(spelling) -> None:
    found = choice(ask_text(spelling, prompt="abc", echo=True, stop=["c", "f"]))
    assert (found["text"], found["finish_reason"]) == ("abcde", "stop")


def test_routing_and_steering(babbling) -> None:
    fields = {"routing": True, "prompt_routing": True, "steering": {"force": [7]}}
    found = choice(ask_text(babbling, prompt="abc", max_tokens=2, **fields))
    assert len(found["prompt_routing"]) == 4
    assert all(7 in entry["experts"][0] for entry in found["routing"] + found["prompt_routing"])


def test_what_the_model_has_not_is_refused(spelling, speller) -> None:
    assert "vocabulary" in refused(ask_text(spelling, prompt=[BOS + 9999]), 400)["message"]
    assert "nothing to read" in refused(ask_text(spelling, prompt=[[]]), 400)["message"]
    too_long = "x" * speller.context
    assert "context" in refused(ask_text(spelling, prompt=too_long, stream=True), 400)["message"]
    assert refused(ask_text(spelling, prompt="a", suffix="b"), 422)["param"] == "suffix"


def test_no_mixtral_fills_in_the_middle(spelling) -> None:
    body = {"model": "mistral-small", "prompt": "a", "suffix": "b"}
    response = spelling.post("/v1/fim/completions", json=body)
    assert refused(response, 400)["code"] == "fim_not_supported"
