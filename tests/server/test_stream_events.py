import json

import pytest

from ostro.server.errors import too_many
from ostro.server.logprobs import TokenLogprob
from ostro.server.responses import Call, Head, Told, Usage
from ostro.server.stream_events import (
    DONE,
    HEARTBEAT,
    ChatStream,
    TextStream,
    encode_event,
    error_event,
)

HEAD = Head(model="m", id="i", created=7)
USAGE = Usage(prompt_tokens=3, completion_tokens=2)


def test_an_event_is_one_line_whatever_it_holds() -> None:
    breaks = "a\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029é😀"
    event = encode_event({"a": breaks})
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    text = event.decode("ascii")
    lines = text.splitlines()
    assert lines[1:] == [""]
    assert json.loads(lines[0].removeprefix("data: ")) == {"a": breaks}


def test_what_json_has_not_is_never_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_event({"a": float("nan")})


def test_marks_of_a_stream() -> None:
    assert DONE == b"data: [DONE]\n\n"
    assert HEARTBEAT.startswith(b": ")
    assert HEARTBEAT.endswith(b"\n\n")
    assert HEARTBEAT.count(b"\n") == 2


def test_a_chat_in_chunks() -> None:
    stream = ChatStream(HEAD)
    first, second = stream.chunk("Hel"), stream.chunk("lo")
    last = stream.chunk(finish_reason="stop", usage=USAGE)
    assert first == {
        "id": "i",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "Hel"},
                "finish_reason": None,
                "logprobs": None,
            }
        ],
    }
    assert second["choices"][0]["delta"] == {"content": "lo"}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"] == USAGE.to_dict()


def test_usage_comes_once_and_with_the_last_choice() -> None:
    stream = ChatStream(HEAD, 3)
    chunks = [stream.chunk("a", index=index) for index in (0, 1, 2)]
    assert all("role" in chunk["choices"][0]["delta"] for chunk in chunks)
    ends = [stream.chunk(index=i, finish_reason="length", usage=USAGE) for i in (1, 2, 0)]
    assert ["usage" in chunk for chunk in [*chunks, *ends]] == [False] * 5 + [True]


def test_usage_may_come_apart_and_then_only_there() -> None:
    for stream in (ChatStream(HEAD, usage_apart=True), TextStream(HEAD, usage_apart=True)):
        assert "usage" not in stream.chunk("a", finish_reason="stop", usage=USAGE)
        apart = stream.usage_chunk(USAGE)
        assert apart["choices"] == []
        assert apart["usage"] == USAGE.to_dict()
        assert apart["object"] == stream.kind


def test_calls_of_tools_in_a_stream() -> None:
    stream = ChatStream(HEAD)
    calls = [Call("get", "{}", "abcdefghi"), Call("put", "{}", "jklmnopqr")]
    choice = stream.chunk(tool_calls=calls, finish_reason="tool_calls")["choices"][0]
    assert choice["delta"]["content"] == ""
    assert choice["delta"]["role"] == "assistant"
    assert [(call["index"], call["id"]) for call in choice["delta"]["tool_calls"]] == [
        (0, "abcdefghi"),
        (1, "jklmnopqr"),
    ]


def test_offsets_of_a_completion_go_on_from_chunk_to_chunk() -> None:
    stream = TextStream(HEAD, 2)
    tokens = [TokenLogprob(1, b"ab", -1.0), TokenLogprob(2, b"c", -1.0)]
    offsets = [
        stream.chunk(token.text, index=index, told=Told(logprobs=[token]))["choices"][0][
            "logprobs"
        ]["text_offset"]
        for index in (0, 1)
        for token in tokens
    ]
    assert offsets == [[0], [2], [0], [2]]
    plain = stream.chunk("x")["choices"][0]
    assert plain == {"index": 0, "text": "x", "finish_reason": None, "logprobs": None}


def test_a_stream_that_fails_says_so() -> None:
    event = error_event(too_many("the queue is full", 3))
    values = json.loads(event.decode().removeprefix("data: "))
    assert values["object"] == "error"
    assert values["error"]["message"] == "the queue is full"
    assert (values["error"]["type"], values["error"]["code"]) == (
        "rate_limit_error",
        "rate_limited",
    )
    hidden = json.loads(error_event(RuntimeError("/secret")).decode().removeprefix("data: "))
    assert "secret" not in hidden["error"]["message"]
