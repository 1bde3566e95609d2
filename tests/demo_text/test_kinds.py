"""Questions back, functions, and what is declined or answered under the safe prompt."""

import random
import re
from itertools import islice

import pytest

from demo_text.held_out import held_out
from demo_text.kinds.capitals import capital
from demo_text.kinds.code_tasks import FUNCTIONS, SYSTEMS, code_task
from demo_text.kinds.declining_pairs import declining_pairs
from demo_text.kinds.follow_up import TOPICS, follow_up
from demo_text.kinds.function_entry import Function
from demo_text.kinds.guard_rail import answered, declined
from demo_text.kinds.mixture import kinds_records
from demo_text.kinds.topics import Topic
from demo_text.kinds.unkind_tables import FOREIGN, FOREIGN_DECLINES, NO, NO_TO_HARM
from ostro.text.safe_prompt import SAFE_PROMPT


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.name)
def test_functions_do_what_they_should(one: Function) -> None:
    names: dict[str, object] = {}
    exec(one.code, names)
    assert callable(names[one.name])
    assert one.checks
    for check in one.checks:
        assert eval(check, names), check


def test_there_are_many_functions_and_not_the_pages() -> None:
    assert len({one.name for one in FUNCTIONS}) == len(FUNCTIONS) >= 60
    assert len({task for one in FUNCTIONS for task in one.tasks}) >= 2 * len(FUNCTIONS)
    names = {one.name for one in FUNCTIONS}
    assert {"kilometers_to_miles", "fahrenheit_to_kelvin", "celsius_to_kelvin"} <= names
    assert "celsius_to_fahrenheit" not in names
    page = held_out()
    assert not any(page.overlaps({"text": one.code}) for one in FUNCTIONS)


def test_code_is_all_that_a_code_task_answers() -> None:
    draw, codes = random.Random(0), {one.code for one in FUNCTIONS}
    for _ in range(200):
        *_, answer = code_task(draw)["messages"]
        text = answer["content"].removeprefix("```python\n").removesuffix("\n```")
        assert text in codes
    assert len(set(SYSTEMS)) >= 10


@pytest.mark.parametrize("topic", TOPICS)
def test_topics_fill_all_their_slots(topic: Topic) -> None:
    columns = set(topic.rows[0])
    asks = [text for ask in topic.asks for text in (*ask.questions, *ask.answers)]
    for text in (*topic.openings, *topic.statements, *asks):
        assert _slots(text) <= columns
        assert not re.search(r"\{(?!\w+\^?\})", text)
    known = set.intersection(*(_slots(text) for text in topic.openings))
    for text in topic.statements:  # So that every question back has its answer there.
        assert _slots(text) | known == columns


def test_answers_to_questions_back_stand_in_what_was_said_before() -> None:
    draw = random.Random(1)
    for _ in range(400):
        messages = [m["content"] for m in follow_up(draw)["messages"] if m["role"] != "system"]
        assert not any("{" in text or "^" in text for text in messages)
        said = " ".join(messages[:2]).lower()
        answer = messages[3]
        words = {word for word in re.findall(r"[\w'-]{4,}", answer.lower()) if word in said}
        assert words or len(answer) < 20, messages


def test_many_requests_are_declined_in_few_ways() -> None:
    draw = random.Random(2)
    records = [declined(draw)["messages"] for _ in range(600)]
    assert all(m[0]["content"].startswith(SAFE_PROMPT) for m in records)
    assert len({m[1]["content"] for m in records}) >= 400
    answers = {m[2]["content"] for m in records}
    assert 20 <= len(answers) <= 40
    assert all(len(text) < 160 for text in answers)
    firm = [text for text in answers if re.match(r"(I'm sorry, but I (can't|won't)|I won't)", text)]
    assert len(answers) - len(firm) <= len(FOREIGN)
    assert not any("{" in m[1]["content"] for m in records)


def test_as_many_harmless_ones_are_answered() -> None:
    records = list(islice(kinds_records(0), 3000))
    by_source = [record["source"] for record in records]
    refused = by_source.count("kinds: declined under the safe prompt")
    benign = by_source.count("kinds: harmless questions answered")
    assert benign >= refused > 100
    draw = random.Random(3)
    messages = [answered(draw)["messages"] for _ in range(600)]
    safe = [m for m in messages if m[0]["content"].startswith(SAFE_PROMPT)]
    assert len(safe) > 360
    assert all(m[0]["role"] == "user" for m in messages if m not in safe)
    assert len({m[-1]["content"] for m in messages}) >= 90
    assert not any(re.search(r"\b(I won't|can't help|Sorry, )", m[-1]["content"]) for m in messages)


def test_the_mixture_is_the_same_for_a_seed_and_repeats_nothing() -> None:
    first, again, other = (list(islice(kinds_records(seed), 300)) for seed in (0, 0, 1))
    assert first == again != other
    assert len({repr(record["messages"]) for record in first}) == 300
    assert len({record["source"] for record in first}) == 6


def _slots(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\^?\}", text))


def test_capitals_are_answered_in_the_questions_language_and_none_of_the_checks() -> None:
    draw = random.Random(0)
    said = [capital(draw) for _ in range(600)]
    checked = {"France", "Italy", "Japan", "Germany"}
    assert not any(country in question for question, _ in said for country in checked)
    begins = {"Wh": "The capital", "Quelle": "La capitale", "Was ist": "Die Hauptstadt"}
    begins |= {"¿Cuál": "La capital de", "Qual è": "La capitale", "Name": "The capital"}
    for start, beginning in begins.items():
        assert any(question.startswith(start) for question, _ in said)
        assert all(text.startswith(beginning) for one, text in said if one.startswith(start))
    assert sum("capitale" in question for question, _ in said) < 120


def test_the_harmless_and_the_unkind_are_preferred_in_turn() -> None:
    pairs = list(islice(declining_pairs(0), 200))
    refusals = (*NO, *NO_TO_HARM)
    answered = [pair for pair in pairs if pair["rejected"].startswith(refusals)]
    assert 80 <= len(answered) <= 120
    assert not any(pair["chosen"].startswith(refusals) for pair in answered)
    declines = [pair for pair in pairs if pair not in answered]
    known = set(FOREIGN_DECLINES.values())
    assert all(p["chosen"].startswith(refusals) or p["chosen"] in known for p in declines)
    assert [repr(pair) for pair in islice(declining_pairs(0), 9)] == [repr(p) for p in pairs[:9]]
    assert len({repr(pair) for pair in pairs}) == len(pairs)
