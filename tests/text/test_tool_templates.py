"""Functions in templates that came with a model."""

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.errors import OstroError
from ostro.text.jinja_values import template_tool_format
from ostro.text.messages import Message, ToolCall
from ostro.text.tools import Tool, ToolChoice
from tool_conversations import ADD, LOOK_ALIKES, WEATHER, conversations, tools
from tool_templates import BARE, CONTROL, MISTRAL, PLAIN, TAGGED, with_template

TEMPLATES = {"plain": PLAIN, "tagged": TAGGED, "bare": BARE, "mistral": MISTRAL}
tokenizer_of = cache(lambda name: with_template(TEMPLATES[name]))
CALL = ToolCall("abcDEF123", "add", '{"a": 1}')
ANSWERED = [
    Message("user", "Hi"),
    Message("assistant", "", tool_calls=(CALL,)),
    Message("tool", "one", tool_call_id=CALL.id, name="add"),
]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (PLAIN, None),
        (TAGGED, "tagged"),
        (BARE, "json"),
        (MISTRAL, "mistral"),
        # Functions in a message's own field are another thing.
        ("{{ messages[0].tools }}{{ messages[0].tool_calls }}<tool_call>", None),
        # Earlier calls could not be written.
        ("{{ tools }}{{ messages }}<tool_call>", None),
        # Ways to write a call that ostro doesn't read.
        (TAGGED + "{# <function=name> #}", None),
        (MISTRAL + "{# [ARGS] #}", None),
        ("{{ tools }}{{ messages[0].tool_calls }}", None),
        ("{% if not tools is defined %}{% set tools = none %}{% endif %}" + BARE, "json"),
    ],
)
def test_a_template_tells_how_its_model_writes_calls(template, expected) -> None:
    assert with_template(template).tool_format == expected


def test_mistrals_mark_must_be_a_token() -> None:
    assert template_tool_format(MISTRAL, {"[TOOL_CALLS]": 5}) == "mistral"
    assert template_tool_format(MISTRAL, {}) is None


def test_a_template_is_given_what_transformers_gives() -> None:
    text = tokenizer_of("tagged").decode(tokenizer_of("tagged").encode_chat(ANSWERED, [ADD]))
    assert json.dumps(ADD.as_json()) in text
    call = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    assert f"assistant\n{call}\ntool\none\nassistant" in text
    text = tokenizer_of("mistral").decode(tokenizer_of("mistral").encode_chat(ANSWERED, [ADD]))
    assert '[{"name": "add", "arguments": {"a": 1}, "id": "abcDEF123"}]' in text
    assert '{"content": "one", "call_id": "abcDEF123"}' in text


def test_content_beside_calls_is_for_templates_that_can_write_it() -> None:
    both = [
        ANSWERED[0],
        Message("assistant", "Wait.", tool_calls=(CALL,)),
        *ANSWERED[2:],
    ]
    text = tokenizer_of("tagged").decode(tokenizer_of("tagged").encode_chat(both))
    assert "Wait.<tool_call>" in text
    for name in ("plain", "bare", "mistral"):
        with pytest.raises(OstroError, match="either content or tool_calls"):
            tokenizer_of(name).encode_chat(both)


@pytest.mark.parametrize("name", TEMPLATES)
def test_counts_and_names_are_checked_whatever_the_template(name) -> None:
    with pytest.raises(OstroError, match="Not the same number of function calls"):
        tokenizer_of(name).encode_chat([*ANSWERED, ANSWERED[2]])
    with pytest.raises(OstroError, match="Function name was a b"):
        tokenizer_of(name).encode_chat([*ANSWERED[:2], Message("tool", "1", name="a b")])


@pytest.mark.parametrize("name", TEMPLATES)
@given(
    attack=st.text(alphabet="<|im_end>start[TOL_CALS]/", max_size=14)
    | st.lists(st.sampled_from([*CONTROL, *LOOK_ALIKES]), min_size=1, max_size=2).map("".join)
)
@settings(max_examples=60, deadline=None)
def test_look_alikes_stay_text(name, attack) -> None:
    tokenizer = tokenizer_of(name)
    control = set(tokenizer.special_pieces.values())

    def encoded(text: str) -> list[int]:
        schema = {"properties": {text: {"type": "string", "description": text, "enum": [text]}}}
        call = ToolCall("abcDEF123", "add", json.dumps({text: [text], "z": {"y": text}}))
        messages = [
            Message("user", "Hi"),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", text, tool_call_id=text, name="add"),
        ]
        return tokenizer.encode_chat(messages, [Tool("add", text, schema)])

    ids, harmless = encoded(attack), encoded("x")
    assert [i for i in ids if i in control] == [i for i in harmless if i in control]
    text = tokenizer.decode(ids)
    assert "\ufdd0" not in text
    assert "ufdd0" not in text


@pytest.mark.parametrize("name", TEMPLATES)
@given(messages=conversations(), functions=tools)
@settings(max_examples=40, deadline=None)
def test_every_conversation_can_be_written(name, messages, functions) -> None:
    tokenizer = tokenizer_of(name)
    ids = tokenizer.encode_chat(messages, functions)
    for function in functions:
        assert function.name in tokenizer.decode(ids)
    assert tokenizer.encode_chat(messages, functions, ToolChoice("none")) == tokenizer.encode_chat(
        messages
    )


def test_a_mark_that_json_escaped_is_taken_out() -> None:
    tokenizer = tokenizer_of("bare")
    text = tokenizer.decode(
        tokenizer.encode_chat(ANSWERED, [Tool("add", "an <|im_end|> é \ufdd0", {})])
    )
    assert '"an <|im_end|> \\u00e9 \\ufdd0"' in text


def test_words_of_schemas_stay_what_templates_look_for() -> None:
    source = "{% for t in tools %}{{ t.function.parameters.type == 'object' }}{% endfor %}"
    odd = with_template(source + TAGGED, "elephant", "tape", "object")
    assert odd.decode(odd.encode_chat(ANSWERED[:1], [WEATHER])).startswith("True")


@pytest.mark.parametrize("depth", [100, 600, 900, 20_000])
def test_arguments_nested_too_deeply_are_refused_or_text(depth) -> None:
    call = ToolCall("abcDEF123", "add", '{"a": ' * depth + "1" + "}" * depth)
    messages = [ANSWERED[0], Message("assistant", "", tool_calls=(call,)), ANSWERED[2]]
    for name in TEMPLATES:
        tokenizer, words = tokenizer_of(name), ""
        try:
            written = tokenizer.decode(tokenizer.encode_chat(messages))
        except OstroError as error:
            words, written = str(error), ""
        assert written.count('"a') >= depth or depth > 100, words
        assert written or "nested too deeply" in words or "recursion" in words


@pytest.mark.parametrize("arguments", ["", "none", "[1]", '{"a": "\\ud800"}'])
def test_arguments_that_are_no_object_are_given_as_they_are(arguments) -> None:
    call = ToolCall("abcDEF123", "add", arguments)
    messages = [ANSWERED[0], Message("assistant", "", tool_calls=(call,)), ANSWERED[2]]
    for name in TEMPLATES:
        text = tokenizer_of(name).decode(tokenizer_of(name).encode_chat(messages))
        assert json.dumps(arguments) in text or arguments in text
