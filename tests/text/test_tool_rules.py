"""Conversations with functions: mistral-common's token ids, and its refusals word for word."""

import dataclasses
import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.validator import MistralRequestValidator, ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from ostro.errors import OstroError
from ostro.text.message_order import check_messages
from ostro.text.messages import Message, ToolCall
from ostro.text.mistral import bundled_mistral_tokenizer, bundled_path
from ostro.text.tools import Tool, ToolChoice
from tool_conversations import (
    ADD,
    LOOK_ALIKES,
    WEATHER,
    conversations,
    names,
    texts,
    their_request,
    tool_calls_of,
    tools,
)

VERSIONS = ("v2", "v3")
ours = cache(bundled_mistral_tokenizer)


@cache
def theirs(version):
    path = str(bundled_path(version))
    return MistralTokenizer.from_file(path, mode=ValidationMode.serving)


def result(function, *errors):
    """What a function gives, or the words of its refusal."""
    try:
        return function()
    except errors as error:
        return str(error)


def both(version, messages, functions=()):
    request = their_request(messages, functions)
    expected = result(
        lambda: list(theirs(version).encode_chat_completion(request).tokens),
        MistralCommonException,
    )
    return result(lambda: ours(version).encode_chat(messages, functions), OstroError), expected


@pytest.mark.parametrize("version", VERSIONS)
@given(messages=conversations(), functions=tools)
@settings(max_examples=60, deadline=None)
def test_token_ids_are_mistral_commons(version, messages, functions) -> None:
    actual, expected = both(version, messages, functions)
    assert actual == expected
    # Version 2 writes one result after an answer; nothing else is refused here.
    assert isinstance(actual, list) or version == "v2"


def test_ids_of_a_whole_conversation_are_the_observed_ones() -> None:
    call = ToolCall("abcDEF123", "add", '{"a": 1}')
    messages = [
        Message("user", "Hello"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "1", tool_call_id=call.id),
    ]
    v3 = ours("v3")
    ids = v3.encode_chat(messages, [ADD])
    assert [i for i in ids if i < 10] == [1, 6, 7, 3, 4, 5, 2, 8, 9]
    assert '[{"name": "add", "arguments": {"a": 1}, "id": "abcDEF123"}]' in v3.decode(ids)
    assert '{"content": 1, "call_id": "abcDEF123"}' in v3.decode(ids)
    assert v3.tool_format == ours("v2").tool_format == "mistral"
    assert ours("v1").tool_format is None


messages_of_any_kind = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant", "tool"]),
        st.sampled_from(["", "a"]),
        st.just(False),
        st.just(()),
        st.sampled_from([None, "abcDEF123", "no"]),
        st.sampled_from([None, "f", "no name"]),
    )
    | st.builds(
        Message,
        st.just("assistant"),
        st.sampled_from(["", "a"]),
        st.booleans(),
        st.lists(
            tool_calls_of(
                st.sampled_from(["f", "no name", "x" * 65]),
                st.sampled_from(["abcDEF123", "no", "null"]),
                st.just("{}"),
            ),
            max_size=2,
        ).map(tuple),
    ),
    max_size=5,
)


@given(messages=messages_of_any_kind)
@settings(max_examples=300, deadline=None)
def test_general_rules_are_mistral_commons(messages) -> None:
    validator = MistralRequestValidator(ValidationMode.serving)
    request = their_request(messages)
    expected = result(lambda: validator.validate_request(request), MistralCommonException)
    actual = result(lambda: check_messages(messages), OstroError)
    assert actual == (expected if isinstance(expected, str) else None)


@pytest.mark.parametrize("version", VERSIONS)
@given(messages=messages_of_any_kind | conversations(parallel=False))
@settings(max_examples=150, deadline=None)
def test_a_versions_own_rules_are_mistral_commons(version, messages) -> None:
    request = their_request(messages)
    expected = result(
        lambda: list(theirs(version).encode_chat_completion(request).tokens),
        MistralCommonException,
        ValueError,
    )
    # What mistral-common checks too late to say it well: neighbours that are merged.
    if isinstance(expected, str) and expected.startswith("Cannot have tool calls and content"):
        expected = "Assistant message must have either content or tool_calls, but not both."
    assert result(lambda: ours(version).encode_chat(messages), OstroError) == expected


def answered(*calls: ToolCall, **changes) -> list[Message]:
    results = [Message("tool", "1", tool_call_id=call.id, **changes) for call in calls]
    return [Message("user", "a"), Message("assistant", "", tool_calls=calls), *results]


CALL = ToolCall("abcDEF123", "add", "{}")


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([*answered(CALL)[:2], Message("user", "b")], "Not the same number of function calls"),
        (answered(dataclasses.replace(CALL, id="short")), "Tool call id was short but must be"),
        (answered(dataclasses.replace(CALL, id="null")), "defined in serving mode"),
        (answered(dataclasses.replace(CALL, name="a b")), "Function name was a b but must be"),
        (answered(CALL, name="a.b"), "Function name was a.b but must be"),
        ([Message("tool", "1"), Message("user", "b")], "Tool call id has to be defined"),
    ],
)
def test_version_3_refuses_in_words(messages, words) -> None:
    with pytest.raises(OstroError, match=words):
        ours("v3").encode_chat(messages)


@given(
    name=names | texts | st.just("x" * 65),
    schema=st.sampled_from([{}, {"type": "strin"}, {"properties": []}, {"required": "a"}]),
)
@settings(max_examples=100, deadline=None)
def test_functions_are_refused_as_mistral_common_does(name, schema) -> None:
    validator = MistralRequestValidator(ValidationMode.serving)
    like = dataclasses.replace(ADD)
    object.__setattr__(like, "name", name)
    object.__setattr__(like, "parameters", schema)
    request = their_request([Message("user", "a")], [like])
    expected = result(lambda: validator.validate_request(request), MistralCommonException)
    actual = result(lambda: Tool(name, "", schema), OstroError)
    assert actual == (expected if isinstance(expected, str) else Tool(name, "", schema))


@pytest.mark.parametrize("version", ["v1", *VERSIONS])
@given(attack=st.lists(st.sampled_from(LOOK_ALIKES), min_size=1, max_size=3).map("".join))
@settings(max_examples=25, deadline=None)
def test_look_alikes_stay_text(version, attack) -> None:
    tokenizer = ours(version)
    control = set(tokenizer.special_pieces.values())

    def controls(text: str) -> list[int]:
        schema = {"properties": {text: {"description": text}}}
        arguments = json.dumps({text: [text]})
        messages = answered(ToolCall("abcDEF123", "add", arguments))
        messages[-1] = dataclasses.replace(messages[-1], content=text)
        ids = tokenizer.encode_chat(messages, [Tool("add", text, schema)])
        return [number for number in ids if number in control]

    assert controls(attack) == controls("x")


@pytest.mark.parametrize("version", ["v1", *VERSIONS])
def test_no_function_is_shown_that_must_not_be_called(version) -> None:
    messages, none = [Message("user", "Hi")], ToolChoice("none")
    tokenizer = ours(version)
    assert tokenizer.encode_chat(messages, [WEATHER], none) == tokenizer.encode_chat(messages)
    assert tokenizer.encode_chat(messages, [WEATHER]) != tokenizer.encode_chat(messages)


@pytest.mark.parametrize("version", ["v1", *VERSIONS])
@pytest.mark.parametrize(
    "bad", ['{"a": "\\ud800"}', "[" * 100_000, "1" * 5000], ids=["half", "deep", "long"]
)
def test_bad_json_of_others_never_raises_anything_else(version, bad) -> None:
    for place in ("call", "result"):
        messages = answered(dataclasses.replace(CALL, arguments=bad if place == "call" else "{}"))
        if place == "result":
            messages[-1] = dataclasses.replace(messages[-1], content=bad)
        if version == "v1":  # It is written as the text that it is.
            assert ours(version).encode_chat(messages)
        else:
            with pytest.raises(OstroError, match="can't be written: it holds half"):
                ours(version).encode_chat(messages)


def test_half_a_character_is_refused_wherever_it_stands() -> None:
    broken = "a\ud800"
    for messages in (
        answered(dataclasses.replace(CALL, name=broken)),
        answered(dataclasses.replace(CALL, arguments=broken)),
        answered(CALL, name=broken),
    ):
        with pytest.raises(OstroError, match="half a character"):
            ours("v3").encode_chat(messages)
    with pytest.raises(OstroError, match="half a character"):
        ours("v3").encode_chat([Message("user", "a")], [Tool("add", broken, {})])
