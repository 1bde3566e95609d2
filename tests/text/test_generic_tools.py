"""Functions for models without a format of their own, and what an answer may look like."""

import json
import re

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.errors import OstroError
from ostro.text.call_constraint import call_constraint
from ostro.text.call_forms import GENERIC
from ostro.text.call_reader import ToolCallReader
from ostro.text.generic_tools import instructions, with_tools
from ostro.text.message_order import check_messages
from ostro.text.messages import Message, ToolCall
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.tools import AUTO, Tool, ToolChoice
from tool_conversations import ADD, WEATHER, conversations, objects, tool_calls_of
from tool_templates import BARE, MISTRAL, PLAIN, TAGGED, with_template

REQUIRED, ONE = ToolChoice("required"), ToolChoice(parallel=False)


def test_functions_are_listed_after_the_users_own_system_messages() -> None:
    messages = [Message("system", "S"), Message("user", "U")]
    system, listed, user = with_tools(messages, [ADD, WEATHER], AUTO)
    assert (system, user) == tuple(messages)
    assert listed.role == "system"
    lines = listed.content.splitlines()
    assert [json.loads(line)["name"] for line in lines[1:3]] == ["add", "get_weather"]
    assert '<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>' in listed.content


def test_the_choice_is_told_in_words() -> None:
    assert "Call the function add now" in instructions([ADD], ToolChoice("required", "add"))
    assert "Call a function now" in instructions([ADD], REQUIRED)
    assert "plain words" in instructions([ADD], AUTO)
    assert "several" in instructions([ADD], AUTO)
    assert "several" not in instructions([ADD], ONE)
    assert with_tools([Message("user", "U")], [ADD], ToolChoice("none")) == [Message("user", "U")]


def test_calls_and_results_become_plain_messages() -> None:
    calls = (ToolCall("aaaaaaaaa", "add", '{"a": 1}'), ToolCall("bbbbbbbbb", "add", "no JSON"))
    messages = [
        Message("user", "U"),
        Message("assistant", "", tool_calls=calls),
        Message("tool", '{"sum": 2}', tool_call_id="bbbbbbbbb"),
        Message("tool", "one", tool_call_id="aaaaaaaaa"),
        Message("tool", "lost", name="other"),
    ]
    plain = with_tools(messages, (), AUTO)
    assert [message.role for message in plain] == ["user", "assistant", "user", "user", "user"]
    assert plain[1].content == (
        '<tool_call>\n[{"name": "add", "arguments": {"a": 1}}, '
        '{"name": "add", "arguments": "no JSON"}]\n</tool_call>'
    )
    # In the order of the calls, named after them.
    assert [json.loads(message.content.split("\n")[1]) for message in plain[2:]] == [
        {"name": "add", "content": "one"},
        {"name": "add", "content": {"sum": 2}},
        {"name": "other", "content": "lost"},
    ]


@given(messages=conversations())
@settings(max_examples=100, deadline=None)
def test_only_plain_messages_are_left_and_they_make_sense(messages) -> None:
    plain = with_tools(messages, [ADD], AUTO)
    assert all(m.role != "tool" and not m.tool_calls and not m.tool_call_id for m in plain)
    check_messages(plain)
    untouched = [m for m in messages if m.role != "tool" and not m.tool_calls]
    assert [m for m in plain if m in untouched] == untouched


@given(calls=st.lists(tool_calls_of(arguments=objects.map(json.dumps)), min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read_again(calls) -> None:
    answer = Message("assistant", "", tool_calls=tuple(calls))
    _, written = with_tools([Message("user", "U"), answer], (), AUTO)
    reader = ToolCallReader(GENERIC, seed="s", names=(), special_pieces={})
    piece = reader.feed(0, written.content)
    assert piece.content == reader.finish().content == ""
    assert [(c.name, json.loads(c.arguments)) for c in piece.calls] == [
        (c.name, json.loads(c.arguments)) for c in calls
    ]


@pytest.mark.parametrize("mark", ["</tool_response>", "</tool_call>"])
def test_nothing_inside_ends_the_marks(mark) -> None:
    call = ToolCall("abcDEF123", "add", json.dumps({mark: mark}))
    messages = [
        Message("user", "U"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", f"{mark} {mark}", tool_call_id=call.id),
    ]
    for message in with_tools(messages, (), AUTO)[1:]:
        assert len(re.findall("</tool_", message.content)) == 1
        json.loads(message.content.split("\n")[1])


PLACE = Tool(
    "place",
    "Finds a place.",
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {
            "at": {"$ref": "#/$defs/Point"},
            "$ref": {"type": "string"},
            "kind": {"enum": [{"$ref": "#/x"}, "town"]},
        },
        "$defs": {
            "Point": {
                "type": "object",
                "properties": {"x": {"type": "number"}, "next": {"$ref": "#/$defs/Point"}},
                "required": ["x"],
            },
        },
        "required": ["at"],
    },
)
POINT = {"at": {"x": 1, "next": {"x": 2}}}


def valid(schema, *values) -> list[bool]:
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return [validator.is_valid(value) for value in values]


def a_call(name="add", key="arguments", **arguments) -> dict:
    return {"name": name, key: arguments}


@pytest.fixture(scope="module")
def plain():
    return with_template(PLAIN)


def test_calls_are_held_to_the_schemas(plain) -> None:
    constraint = call_constraint(plain, [ADD, PLACE, WEATHER], REQUIRED)
    assert constraint.required
    assert (constraint.begin, constraint.end) == (("<tool_call>\n",), ("\n</tool_call>",))
    good = [a_call(a=1), a_call("place", **POINT), [a_call(), a_call("place", **POINT)]]
    good += [a_call("place", **POINT, kind="town"), a_call("place", **POINT, kind={"$ref": "#/x"})]
    bad = [a_call(a="1"), a_call("place"), a_call("place", at={"x": "1"}), a_call("other"), []]
    bad += [a_call("get_weather", a=1), {"name": "add"}, {"name": "add", "arguments": []}, "add"]
    bad += [a_call("place", at={"x": 1, "next": {}}), a_call() | {"more": 1}, [[a_call()]]]
    assert all(valid(constraint.schema, *good))
    assert not any(valid(constraint.schema, *bad))


def test_a_named_function_is_the_only_one(plain) -> None:
    schema = call_constraint(plain, [ADD, WEATHER], ToolChoice("required", "add")).schema
    assert valid(schema, a_call(), a_call("get_weather", city="x")) == [True, False]


def test_one_call_alone_where_several_are_not_allowed(plain) -> None:
    schema = call_constraint(plain, [ADD], ONE).schema
    assert valid(schema, a_call(), [a_call()]) == [True, False]
    mistral = call_constraint(bundled_mistral_tokenizer("v3"), [ADD], ONE).schema
    assert valid(mistral, a_call(), [a_call()], [a_call(), a_call()]) == [False, True, False]
    assert call_constraint(with_template(TAGGED), [ADD], ONE).separator is None


def test_arguments_are_an_object_whatever_the_schema_says(plain) -> None:
    loose = Tool("loose", "", {"type": "string"})
    schema = call_constraint(plain, [loose], AUTO).schema
    values = [a_call("loose", a=1), {"name": "loose", "arguments": "a"}]
    assert valid(schema, *values) == [True, False]


def test_every_format_has_its_own_form() -> None:
    v3 = call_constraint(bundled_mistral_tokenizer("v3"), [ADD], AUTO)
    assert (v3.begin, v3.end, v3.anywhere, v3.required) == ((5,), (), True, False)
    assert v3.text_pattern is None
    with_id = [a_call() | {"id": "abcDEF123"}]
    assert valid(v3.schema, [a_call()], with_id, [a_call() | {"id": "x"}]) == [True, True, False]
    tagged = call_constraint(with_template(TAGGED), [ADD], AUTO)
    assert (tagged.begin, tagged.anywhere, tagged.separator) == (("<tool_call>\n",), True, "\n")
    assert valid(tagged.schema, a_call(), [a_call()]) == [True, False]
    marked = with_template(TAGGED, "<tool_call>", "</tool_call>")
    begin, end = (marked.special_pieces[mark] for mark in ("<tool_call>", "</tool_call>"))
    constraint = call_constraint(marked, [ADD], AUTO)
    assert (constraint.begin, constraint.end) == ((begin, "\n"), ("\n", end))
    assert call_constraint(with_template(BARE), [ADD], AUTO) is None
    bare = call_constraint(with_template(BARE), [ADD], REQUIRED)
    assert (bare.begin, bare.end, bare.text_pattern) == ((), (), None)
    assert valid(bare.schema, a_call(key="parameters"), a_call()) == [True, False]
    piece = with_template(MISTRAL)
    assert call_constraint(piece, [ADD], AUTO).begin == (piece.special_pieces["[TOOL_CALLS]"],)


def test_nothing_is_demanded_where_nothing_may_be_called(plain) -> None:
    assert call_constraint(plain, [], AUTO) is None
    assert call_constraint(plain, [ADD], ToolChoice("none")) is None


def test_a_schema_that_is_not_whole_is_refused(plain) -> None:
    tool = Tool("far", "", {"properties": {"a": {"$ref": "https://example.org/a.json"}}})
    with pytest.raises(OstroError, match="Invalid tool schema: far refers to"):
        call_constraint(plain, [tool], AUTO)


@given(text=st.text(max_size=5) | st.text(alphabet="<tol_ca>", max_size=14))
def test_text_is_what_does_not_begin_with_the_mark(text) -> None:
    constraint = call_constraint(with_template(PLAIN), [ADD], AUTO)
    pattern = re.compile(constraint.text_pattern)
    for answer in (text, "<tool_call>"[: len(text)] + text, "<tool_call>" + text):
        begins = answer.startswith("<tool_call>")
        assert bool(pattern.fullmatch(answer)) == (not begins)
