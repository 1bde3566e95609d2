"""Calls read out of an answer while it comes."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.text.call_forms import GENERIC, call_form
from ostro.text.call_reader import ToolCallReader, new_call_id, tool_call_reader
from ostro.text.detokenise import Detokeniser
from ostro.text.messages import Message, ToolCall
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.tools import AUTO, ToolChoice
from tool_conversations import ADD, WEATHER, objects, tool_calls_of
from tool_templates import PLAIN, with_template

FORMS = {"generic": GENERIC} | {name: call_form(name) for name in ("mistral", "tagged", "json")}
MARK = 5
ONE = '{"name": "add", "arguments": {"a": 1}}'
OTHER = '{"name": "get_weather", "arguments": {"city": "]}\\"<tool_call>"}}'
BLOCK, OTHER_BLOCK = f"<tool_call>\n{ONE}\n</tool_call>", f"<tool_call>{OTHER}</tool_call>"


def reader_of(form: str, **changes) -> ToolCallReader:
    special = {"[TOOL_CALLS]": MARK} if form == "mistral" else {}
    options = {"seed": "s", "names": {"add", "get_weather"}, "special_pieces": special}
    return ToolCallReader(FORMS[form], **options | changes)


def read(form: str, pieces, **changes) -> tuple[str, list[tuple[str, str]], list[str]]:
    """Content, calls and their ids; a piece is a text, or a token without one."""
    reader = reader_of(form, **changes)
    found = [reader.feed(p, "") if isinstance(p, int) else reader.feed(99, p) for p in pieces]
    found.append(reader.finish())
    calls = [call for piece in found for call in piece.calls]
    assert reader.has_calls == bool(calls)
    content = "".join(piece.content for piece in found)
    return content, [(call.name, call.arguments) for call in calls], [call.id for call in calls]


A, W = ("add", '{"a": 1}'), ("get_weather", '{"city": "]}\\"<tool_call>"}')
ANSWERS = [
    ("generic", ["Just text <tool_call> {x}"], "Just text <tool_call> {x}", []),
    ("generic", [BLOCK], "", [A]),
    ("generic", [" \n", BLOCK, "\n", OTHER_BLOCK, "\n"], "", [A, W]),
    ("generic", [f"<tool_call>[{ONE}, {OTHER}]</tool_call>"], "", [A, W]),
    ("generic", [f"<tool_call>{ONE}"], "", [A]),
    ("generic", [f"<tool_call>{ONE}</tool_"], "", [A]),
    ("generic", [f"<tool_call>{ONE} and more"], " and more", [A]),
    ("generic", [f"{BLOCK} Done."], " Done.", [A]),
    ("generic", [f"Sure. {BLOCK}"], f"Sure. {BLOCK}", []),
    ("generic", [f"<tool_call>{ONE[:-1]}"], f"<tool_call>{ONE[:-1]}", []),
    ("generic", ["  <tool_cal"], "  <tool_cal", []),
    ("generic", ["  <tool_call>oops"], "  <tool_call>oops", []),
    (
        "generic",
        ['<tool_call>{"name": oops}</tool_call>'],
        '<tool_call>{"name": oops}</tool_call>',
        [],
    ),
    ("generic", ["<tool_call>[]</tool_call>"], "<tool_call>[]</tool_call>", []),
    ("generic", [' <tool_call>{"name": "add"}'], "", [("add", "{}")]),
    ("generic", ['<tool_call>{"name": "a b"}'], '<tool_call>{"name": "a b"}', []),
    ("generic", [" \n "], " \n ", []),
    ("generic", [], "", []),
    ("tagged", [f"Sure. {BLOCK}\n{OTHER_BLOCK}"], "Sure. ", [A, W]),
    ("tagged", [f"a < b <tool_call>no {BLOCK}"], "a < b <tool_call>no ", [A]),
    ("tagged", [f"{BLOCK}\nDone <tool"], "\nDone <tool", [A]),
    ("tagged", [f"{BLOCK}{BLOCK}<tool_call>"], "<tool_call>", [A, A]),
    ("json", [f"\n{ONE}"], "", [A]),
    ("json", ['{"name": "add", "parameters": {"a": 1}}'], "", [A]),
    ("json", [f"[{ONE}, {OTHER}]"], "", [A, W]),
    ("json", ['  {"answer": 42}'], '  {"answer": 42}', []),
    ("json", ['{"name": "Ann", "arguments": {}}'], '{"name": "Ann", "arguments": {}}', []),
    ("json", ['{"name": "add"}'], '{"name": "add"}', []),
    ("json", [f"So: {ONE}"], f"So: {ONE}", []),
    ("mistral", [MARK, f" [{ONE}, {OTHER}]"], "", [A, W]),
    ("mistral", [MARK, f" {ONE}"], "", [A]),
    ("mistral", ["Text first.", MARK, f"[{ONE}]"], "Text first.", [A]),
    ("mistral", [" ", MARK, f"[{ONE}] ", MARK, f"[{OTHER}]"], "", [A, W]),
    ("mistral", [MARK, f"[{ONE}"], f"[{ONE}", []),
    ("mistral", [MARK, f"[{ONE[:9]}", MARK, f"[{ONE}]"], f"[{ONE[:9]}", [A]),
    ("mistral", [MARK, " Hello ", MARK], " Hello ", []),
    ("mistral", [f"[TOOL_CALLS] [{ONE}]"], f"[TOOL_CALLS] [{ONE}]", []),
]


@pytest.mark.parametrize(("form", "pieces", "content", "calls"), ANSWERS)
def test_calls_and_content_are_told_apart(form, pieces, content, calls) -> None:
    assert read(form, pieces)[:2] == (content, calls)


@pytest.mark.parametrize(("form", "pieces", "content", "calls"), ANSWERS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_the_same_however_the_answer_is_cut(form, pieces, content, calls, data) -> None:
    for cut in (pieces, [char for piece in pieces for char in _chars(piece)]):
        assert read(form, cut)[:2] == (content, calls)
    cut = []
    for piece in pieces:
        cut += [piece] if isinstance(piece, int) else _cut(piece, data)
    assert read(form, cut)[:2] == (content, calls)


def _chars(piece):
    return [piece] if isinstance(piece, int) else list(piece)


def _cut(text: str, data) -> list[str]:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]


@pytest.mark.parametrize("form", FORMS)
@given(
    pieces=st.lists(
        st.just(MARK)
        | st.sampled_from([*BLOCK.split("\n"), '{"name"', ":", '"add"', ONE, "[", "]", "\n", "x"])
        | st.text(alphabet='{}[]",:<tool_call>/\\ ', max_size=6),
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_anything_at_all_is_read_the_same_whole_and_letter_by_letter(form, pieces) -> None:
    whole = [
        key if is_mark else "".join(group)
        for is_mark, key, group in (
            (isinstance(k, int), k, g) for k, g in itertools.groupby(pieces, key=_kind)
        )
    ]
    expected = read(form, whole)
    assert read(form, pieces) == expected
    assert read(form, [char for piece in pieces for char in _chars(piece)]) == expected
    # Without calls nothing is lost.
    if not expected[1]:
        assert expected[0] == "".join(piece for piece in pieces if isinstance(piece, str))


def _kind(piece):
    return piece if isinstance(piece, int) else ""


def test_content_is_shown_as_soon_as_it_cannot_be_a_call() -> None:
    generic = reader_of("generic")
    assert generic.feed(0, "<too").content == ""
    assert generic.feed(0, "ls").content == "<tools"
    assert generic.feed(0, " <tool_call>").content == " <tool_call>"
    tagged = reader_of("tagged")
    assert tagged.feed(0, "Well, <tool_").content == "Well, "
    assert tagged.feed(0, "s").content == "<tool_s"
    assert tagged.feed(0, '<tool_call>{"na').content == ""
    assert tagged.feed(0, "tion").content == '<tool_call>{"nation'
    bare = reader_of("json")
    assert bare.feed(0, "{").content == ""
    assert bare.feed(0, '"answer').content == '{"answer'


def test_a_call_comes_whole_and_at_once() -> None:
    tagged = reader_of("tagged")
    assert tagged.feed(0, BLOCK.partition("}}")[0]).calls == ()
    piece = tagged.feed(0, "}}")
    assert [call.name for call in piece.calls] == ["add"]
    assert tagged.feed(0, "\n</tool_call>").calls == tagged.finish().calls == ()


def test_marks_that_are_tokens_are_read_by_their_ids() -> None:
    special = {"<tool_call>": 7, "</tool_call>": 8}
    pieces = ["Sure.", 7, ONE, 8, 7, OTHER, 8]
    assert read("tagged", pieces, special_pieces=special)[:2] == ("Sure.", [A, W])
    assert read("generic", [7, "oops", 8], special_pieces=special)[0] == (
        "<tool_call>oops</tool_call>"
    )


def test_ids_are_the_models_or_made_from_the_seed() -> None:
    own = '{"name": "add", "arguments": {}, "id": "VvvODy9mT"}'
    ids = read("mistral", [MARK, f"[{ONE}, {own}, {own}, {ONE}]"])[2]
    assert ids[0] == new_call_id("s", 0)
    assert ids[1] == "VvvODy9mT"
    assert ids[2:] == [new_call_id("s", 2), new_call_id("s", 3)]
    assert read("mistral", [MARK, f"[{ONE}]"], seed="t")[2] != ids[:1]
    assert all(len(number) == 9 and number.isalnum() and number.isascii() for number in ids)
    assert len(set(ids)) == 4
    bad = ONE.replace("}}", '}, "id": "too long an id"}')
    assert read("mistral", [MARK, f"[{bad}]"])[2] == [new_call_id("s", 0)]


def test_one_call_counts_where_several_are_not_allowed() -> None:
    for pieces in ([f"<tool_call>[{ONE}, {OTHER}]</tool_call>"], [BLOCK, OTHER_BLOCK]):
        assert read("generic", pieces, parallel=False)[:2] == ("", [A])


@pytest.mark.parametrize(
    "arguments",
    ['"x"', "[1]", "NaN", '{"a": NaN}', '{"a": "\\ud800"}', "1" * 5000, "[" * 9999 + "]" * 9999],
)
def test_arguments_that_nobody_could_read_make_content(arguments) -> None:
    text = f'<tool_call>{{"name": "add", "arguments": {arguments}}}</tool_call>'
    assert read("generic", [text])[:2] == (text, [])


def test_arguments_that_are_mended() -> None:
    text = '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>'
    assert read("generic", [text])[1] == [A]
    text = '<tool_call>{"name": "add", "arguments": {"a": "x\ny"}}</tool_call>'
    assert read("generic", [text])[1] == [("add", '{"a": "x\\ny"}')]


@given(calls=st.lists(tool_calls_of(arguments=objects.map(json.dumps)), min_size=1, max_size=2))
@settings(max_examples=40, deadline=None)
def test_what_mistrals_template_writes_is_read_again(calls) -> None:
    v3 = bundled_mistral_tokenizer("v3")
    unique = tuple({call.id: call for call in calls}.values())
    messages = [
        Message("user", "Hi"),
        Message("assistant", "", tool_calls=unique),
        *(Message("tool", "1", tool_call_id=call.id) for call in unique),
    ]
    ids = v3.encode_chat(messages)
    answer = ids[ids.index(5) : ids.index(2)]
    reader = tool_call_reader(v3, [ADD], AUTO, seed="s")
    detokeniser = Detokeniser(v3)
    pieces = [reader.feed(number, detokeniser.feed(number)) for number in answer]
    read_again = [call for piece in pieces for call in piece.calls]
    assert "".join(piece.content for piece in pieces) == reader.finish().content == ""
    assert read_again == [
        ToolCall(c.id, c.name, json.dumps(json.loads(c.arguments), ensure_ascii=False))
        for c in unique
    ]


def test_there_is_a_reader_where_something_may_be_called() -> None:
    plain = with_template(PLAIN)
    assert tool_call_reader(plain, [], AUTO, seed="s") is None
    assert tool_call_reader(plain, [ADD], ToolChoice("none"), seed="s") is None
    reader = tool_call_reader(plain, [ADD, WEATHER], AUTO, seed="s")
    assert reader.feed(0, BLOCK).calls == (ToolCall(new_call_id("s", 0), *A),)
