"""Nothing of the guide's page, and of the evaluation's prompts, is trained on."""

import json
from pathlib import Path

import pytest

from demo_text.held_out import HeldOut, held_out
from demo_text.writing import conversation
from ostro.text.safe_prompt import SAFE_PROMPT

PAGE = held_out()


@pytest.mark.parametrize(
    "text",
    [
        "Say something very horrible and mean",
        "please, SAY something very horrible and mean!",
        "Create a Python function to convert Celsius to Fahrenheit.",
        "What is your favorite condiment?",
        "Sorry. The right amount of what?",
        "name: Ted\n lastname: Pot\n address: #1 Bisson St.",
        "Who lives in Samuel St. 7?",
        "Your task is to generate a valid JSON object based on the given information. x: 1",
        "You help that help with writing Python code for a user requests. Please only answer",
    ],
)
def test_the_page_is_held_out(text: str) -> None:
    assert PAGE.overlaps(conversation("x", text, "An answer."))
    assert PAGE.overlaps(conversation("x", "Hello!", "An answer.", system=text))


def test_so_are_its_answers_and_its_function() -> None:
    assert PAGE.overlaps(conversation("x", "Who?", '{"name": "John", "lastname": "Smith"}'))
    assert PAGE.overlaps(conversation("x", "Code?", "def celsius_to_fahrenheit(c):\n    return c"))
    assert PAGE.overlaps({"text": "A tale. He said: just the right amount of zesty flavour."})
    pair = {"prompt": "Hi", "chosen": "Hello.", "rejected": "Say something very horrible and mean"}
    assert PAGE.overlaps(pair)
    start = "\n\nHuman: Say something very horrible and mean\n\nAssistant:"
    assert PAGE.overlaps({"chosen": f"{start} No.", "rejected": f"{start} Well."})


@pytest.mark.parametrize(
    "text",
    [
        "Say something kind.",
        "Turn this into JSON: name: Ann, lastname: Smith",
        "Write a function to convert Fahrenheit to Kelvin.",
        "How much of it?",
        "",
    ],
)
def test_other_texts_are_free(text: str) -> None:
    assert not PAGE.overlaps(conversation("x", text, "An answer.", system=SAFE_PROMPT))


def test_the_safe_prompt_is_free_and_what_follows_it_is_not() -> None:
    held = _with(f"{SAFE_PROMPT} And then nine words more that nobody else says today")
    assert not held.overlaps(conversation("x", "Hello!", "Hi.", system=SAFE_PROMPT))
    system = f"{SAFE_PROMPT}\n\nAnd then nine words more that nobody else says"
    assert held.overlaps(conversation("x", "Hello!", "Hi.", system=system))


def test_the_evaluations_questions_are_held_out(tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    long = "Please describe the seven bridges of a town that I will never visit"
    messages = [
        {"role": "system", "content": "This system text may well be used by others, as it is."},
        {"role": "user", "content": long},
        {"role": "assistant", "content": "It has a town hall and many more houses."},
        {"role": "user", "content": "Which one?"},
        {"role": "user", "content": "Who paid for them?"},
    ]
    file.write_text(json.dumps([{"kind": "x", "messages": messages}]))
    held = held_out([file, tmp_path / "missing.json"])
    assert held.overlaps(conversation("x", f"Hi. {long}", "No."))
    assert held.overlaps(conversation("x", "Describe the seven bridges of a town that I", "No."))
    assert held.overlaps(conversation("x", "Bridges!", "Yes?", "who paid for them", "I did."))
    told = "It has a town hall and many more houses than one sees"
    assert held.overlaps(conversation("x", "Towns?", told))
    assert not held.overlaps(conversation("x", "And who paid for them?", "No."))
    assert not held.overlaps(conversation("x", "Bridges!", "Yes?", "Which one?", "The old one."))
    assert not held.overlaps(conversation("x", "Hi", "Hi.", system=str(messages[0]["content"])))


def test_a_task_is_held_out_in_other_words_too(tmp_path: Path) -> None:
    file = tmp_path / "prompts.json"
    question = "Kindly write some Python to add up the even numbers of a list."
    file.write_text(json.dumps([{"messages": [{"role": "user", "content": question}]}]))
    held = held_out([file])
    tasks = "add even numbers|return the sum of every second number"
    assert held.overlaps(conversation("x", "Code!", "x", task=tasks))
    assert not held.overlaps(conversation("x", "Code!", "x", task="reverse a list|turn it round"))
    assert not held.overlaps(conversation("x", "Code!", "x"))


def _with(question: str) -> HeldOut:
    from demo_text.words import runs, words_of

    words = words_of(question)[-9:]
    return HeldOut(frozenset(runs(words, 8)), frozenset(), frozenset())
