"""Messages, functions and choices as clients send them."""

import pytest

from ostro.errors import OstroError
from ostro.text.messages import Message, ToolCall, parse_messages
from ostro.text.tools import Tool, ToolChoice, parse_tool_choice, parse_tools
from tool_conversations import ADD, WEATHER

MERGED = Message("user", "a\n\nb")


def call(**changes) -> dict:
    function = {"name": "add", "arguments": '{"a": 1}'}
    return {"id": "abcDEF123", "type": "function", "index": 0, "function": function} | changes


@pytest.mark.parametrize(
    "value",
    [
        {"role": "assistant", "content": "", "tool_calls": [call()]},
        {"role": "assistant", "content": None, "tool_calls": [call()], "prefix": False},
        {"role": "assistant", "tool_calls": [call(index=None, type=None)], "name": None},
        {"role": "assistant", "content": [], "tool_calls": [call()], "tool_call_id": None},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call(function={"name": "add", "arguments": {"a": 1}})],
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
        },
    ],
)
def test_calls_in_every_form_that_clients_send(value) -> None:
    wanted = Message("assistant", "", tool_calls=(ToolCall("abcDEF123", "add", '{"a": 1}'),))
    assert parse_messages([value]) == [wanted]
    assert hash(wanted)


def test_calls_without_id_or_arguments() -> None:
    value = {"role": "assistant", "tool_calls": [{"function": {"name": "now"}}]}
    (message,) = parse_messages([value])
    assert message.tool_calls == (ToolCall("null", "now", "{}"),)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (
            {"role": "tool", "content": "1", "tool_call_id": "x", "name": "add"},
            Message("tool", "1", tool_call_id="x", name="add"),
        ),
        (
            {"role": "tool", "content": None, "tool_call_id": "x"},
            Message("tool", "", False, (), "x"),
        ),
        ({"role": "user", "content": "a", "name": "Ann"}, Message("user", "a", name="Ann")),
        (
            {"role": "user", "content": "a", "tool_calls": None, "name": None, "prefix": None},
            Message("user", "a"),
        ),
        ({"role": "user", "content": ["a", "b"]}, MERGED),
        (
            {"role": "user", "content": ["a", {"type": "text", "text": "b"}]},
            Message("user", "a\n\nb"),
        ),
        ({"role": "user", "content": None}, Message("user", "")),
        ({"role": "assistant", "content": "a", "tool_calls": []}, Message("assistant", "a")),
    ],
)
def test_results_names_and_nulls(value, wanted) -> None:
    assert parse_messages([value]) == [wanted]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"role": "assistant", "tool_calls": "x"}, r"messages\[0\]\.tool_calls must be a list"),
        ({"role": "assistant", "tool_calls": [3]}, r"tool_calls\[0\] must be an object"),
        ({"role": "assistant", "tool_calls": [call(kind=1)]}, r"tool_calls\[0\]: unknown .*'kind'"),
        ({"role": "assistant", "tool_calls": [call(type="web")]}, "must be 'function'"),
        ({"role": "assistant", "tool_calls": [call(id=3)]}, r"tool_calls\[0\]: id must be a text"),
        ({"role": "assistant", "tool_calls": [call(index="a")]}, "index must be a number"),
        ({"role": "assistant", "tool_calls": [call(function=None)]}, r"\[0\]\.function must be"),
        (
            {"role": "assistant", "tool_calls": [call(function={"name": None})]},
            r"function\.name must be a text",
        ),
        (
            {"role": "assistant", "tool_calls": [call(function={"name": "a", "arguments": 3})]},
            r"function\.arguments must be an object",
        ),
        (
            {"role": "assistant", "tool_calls": [call(function={"name": "a", "args": 3})]},
            "unknown key 'args'",
        ),
        ({"role": "user", "content": "a", "tool_calls": [call()]}, "only assistants have"),
        ({"role": "user", "content": "a", "tool_call_id": "x"}, "only tool messages have"),
        ({"role": "user", "content": "a", "name": 3}, "name must be a text"),
        ({"role": "user", "content": "a", "refusal": "no"}, "refusal must be null"),
        ({"role": "system", "content": None}, r"messages\[0\]\.content must be"),
        ({"role": "tool", "tool_call_id": "x"}, r"messages\[0\]\.content must be"),
        ({"role": "user", "content": "a", "prefix": 0}, "prefix must be"),
        ({"role": "user", "content": "a", 3: 4}, "unknown key '3'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(value, place) -> None:
    with pytest.raises(OstroError, match=place):
        parse_messages([value])


def function(**changes) -> dict:
    described = {"name": "add", "description": ADD.description, "parameters": ADD.parameters}
    return {"type": "function", "function": described | changes}


def test_functions_in_every_form() -> None:
    assert parse_tools(None) == parse_tools([]) == ()
    assert parse_tools([function(), WEATHER]) == (ADD, WEATHER)
    assert parse_tools([function(strict=True)])[0].strict
    assert parse_tools([function(strict=None)]) == (ADD,)
    bare = {"function": {"name": "now", "description": None, "parameters": None}}
    assert parse_tools([bare]) == (Tool("now", "", {}),)
    assert ADD.as_json() == function()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("add", "tools must be a list"),
        ([3], r"tools\[0\] must be an object"),
        ([{"type": "web_search"}], r"tools\[0\]: type 'web_search' is not supported"),
        ([{"type": "function", "name": "add"}], r"tools\[0\]: unknown key 'name'"),
        ([{"type": "function"}], r"tools\[0\]\.function must be an object"),
        ([function(name=None)], r"tools\[0\]\.function\.name must be a text"),
        ([function(description=3)], r"function\.description must be a text"),
        ([function(parameters=[])], r"function\.parameters must be a JSON schema"),
        ([function(strict="yes")], r"function\.strict must be true or false"),
        ([function(color="red")], r"tools\[0\]\.function: unknown key 'color'"),
        ([function(name="a b")], "Function name was a b but must be"),
        ([function(name="x" * 65)], "with a maximum length of 64"),
        ([function(parameters={"type": "strin"})], "Invalid tool schema: 'strin' is not valid"),
        ([function(parameters={"default": {1, 2}})], "Invalid tool schema: it can't be written"),
        ([function(), function()], r"tools\[1\]: there is another function named 'add'"),
    ],
)
def test_functions_that_are_none(value, words) -> None:
    with pytest.raises(OstroError, match=words):
        parse_tools(value)


def test_a_schema_nested_too_deeply_is_refused() -> None:
    schema: dict = {}
    for _ in range(5000):
        schema = {"properties": {"a": schema}}
    with pytest.raises(OstroError, match="Invalid tool schema: it is nested too deeply"):
        parse_tools([function(parameters=schema)])


def test_choices_in_every_form() -> None:
    for value, wanted in {None: "auto", "auto": "auto", "none": "none", "any": "required"}.items():
        assert parse_tool_choice(value, [ADD]) == ToolChoice(wanted)
    assert parse_tool_choice("required", [ADD], parallel_tool_calls=True) == ToolChoice("required")
    assert not parse_tool_choice("auto", [ADD], parallel_tool_calls=False).parallel
    named = ToolChoice("required", "add")
    assert parse_tool_choice({"function": {"name": "add"}}, [ADD]) == named
    assert parse_tool_choice({"type": "function", "function": {"name": "add"}}, [ADD]) == named
    assert parse_tool_choice(named, [ADD]) is named
    assert parse_tool_choice("none", []) == ToolChoice("none")


@pytest.mark.parametrize(
    ("value", "tools", "words"),
    [
        ("maybe", [ADD], "tool_choice must be"),
        (3, [ADD], "tool_choice must be"),
        ({"type": "allowed_tools"}, [ADD], "tool_choice must be"),
        ({"function": {"name": "add", "more": 1}}, [ADD], "tool_choice must be"),
        ({"function": {"name": "sub"}}, [ADD], "names 'sub', which is not among the tools"),
        ("any", [], "requires a call, but there are no tools"),
    ],
)
def test_choices_that_are_none(value, tools, words) -> None:
    with pytest.raises(OstroError, match=words):
        parse_tool_choice(value, tools)
