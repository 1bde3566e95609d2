"""JSON answers parse, and say what the question says."""

import json
import random

import pytest

from demo_text.kinds.fields import Entry, draw_schema, fill
from demo_text.kinds.json_tasks import few_shot, zero_shot
from demo_text.kinds.json_text import Layout, as_json, as_text
from ostro.text.safe_prompt import SAFE_PROMPT

ENTRIES = [Entry("name", 'Zoë "Z"'), Entry("price", "12.50"), Entry("zip", "01234")]


@pytest.mark.parametrize("indent", [None, 1, 2, 4])
def test_an_object_holds_the_entries_in_their_order(indent: int | None) -> None:
    text = as_json(ENTRIES, indent)
    assert list(json.loads(text).items()) == [
        ("name", 'Zoë "Z"'),
        ("price", 12.5),
        ("zip", "01234"),
    ]
    assert "12.50" in text
    assert text.count("\n") == (0 if indent is None else 4)


def test_an_indented_object_looks_as_pythons_own() -> None:
    entries = [Entry("a", "x"), Entry("b", "7")]
    assert as_json(entries, 2) == json.dumps({"a": "x", "b": 7}, indent=2)
    assert as_json(entries, None) == json.dumps({"a": "x", "b": 7})


def test_information_is_written_as_the_layout_says() -> None:
    assert as_text(ENTRIES[1:], Layout(": ", "\n", "- ")) == "- price: 12.50\n- zip: 01234"


@pytest.mark.parametrize("value", ["0", "7", "-3", "12.50", "0.5"])
def test_numbers_stand_without_quotes(value: str) -> None:
    assert as_json([Entry("n", value)], None) == f'{{"n": {value}}}'


@pytest.mark.parametrize("value", ["007", "1.", "$5", "1e5", "+4", "2024-01-02", "٣"])
def test_what_json_has_no_number_for_is_a_text(value: str) -> None:
    assert json.loads(as_json([Entry("n", value)], None)) == {"n": value}


def test_zero_shot_answers_say_what_was_asked() -> None:
    draw = random.Random(3)
    questions = set()
    for _ in range(300):
        *_, question, answer = zero_shot(draw)["messages"]
        found = json.loads(answer["content"], parse_float=str, parse_int=str)
        assert 2 <= len(found) <= 6
        at = 0
        for key, value in found.items():  # In their order.
            at = question["content"].index(f"{value}", question["content"].index(key, at))
        questions.add(question["content"])
    assert len(questions) == 300


def test_few_shot_answers_keep_the_examples_order_and_layout() -> None:
    draw = random.Random(4)
    for _ in range(300):
        messages = [m for m in few_shot(draw)["messages"] if m["role"] != "system"]
        answers = [m["content"] for m in messages[1::2]]
        assert len(answers) in (2, 3)
        first, *others = (json.loads(answer, parse_float=str) for answer in answers)
        assert all(list(other) == list(first) for other in others)
        assert len({answer.count("\n") for answer in answers}) == 1
        assert len({answer[:3] for answer in answers}) == 1
        last = json.loads(answers[-1], parse_float=str, parse_int=str)
        assert all(str(value) in messages[-2]["content"] for value in last.values())


def test_schemas_have_no_key_twice() -> None:
    draw = random.Random(5)
    for _ in range(500):
        keys = [entry.key for entry in fill(draw_schema(draw), draw)]
        assert len(set(keys)) == len(keys)


def test_the_safe_prompt_may_stand_first() -> None:
    draw = random.Random(6)
    systems = [r["messages"][0]["content"] for r in (few_shot(draw) for _ in range(300))]
    assert any(text.startswith(f"{SAFE_PROMPT}\n\n") for text in systems)
