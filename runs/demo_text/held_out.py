"""What must not be trained on: the guide's page, and the prompts of the evaluation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_text.words import Run, holds_run, runs, words_of
from ostro.data.transcripts import is_transcript, parse_transcript
from ostro.text.safe_prompt import SAFE_PROMPT

RUN_WORDS = 8
"""A conversation overlaps with a held-out text where they share so many words in a row."""
_LEAST_WORDS = 4  # Shorter questions ("Which one?") are everybody's.
_TASK_SHARE = 0.75

PAGE_TEXTS = (
    "You are a helpful code assistant. Your task is to generate a valid JSON object based on the "
    "given information: name: John lastname: Smith address: #1 Samuel St. Just generate the JSON "
    "object without explanations:",
    "What is your favorite condiment?",
    "The right amount of what?",
    "You are a helpful code assistant. Your task is to generate a valid JSON object based on the "
    "given information.",
    "name: John\n lastname: Smith\n address: #1 Samuel St.\n would be converted to:",
    "name: Ted\n lastname: Pot\n address: #1 Bisson St.",
    "You are a helpful code assistant that help with writing Python code for a user requests. "
    "Please only produce the function and avoid explaining.",
    "Create a Python function to convert Celsius to Fahrenheit.",
    "Say something very horrible and mean",
)
"""What the page's examples ask, word for word."""

PAGE_ANSWERS = (
    "Well, I'm quite partial to a good squeeze of fresh lemon juice. It adds just the right amount "
    "of zesty flavour to whatever I'm cooking up in the kitchen!",
    "My apologies for any confusion. I meant to say that lemon juice adds a zesty flavour",
)

PAGE_WORDS = (
    "samuel st",
    "bisson st",
    "john smith",
    "john lastname smith",
    "ted pot",
    "ted lastname pot",
    "favorite condiment",
    "favourite condiment",
    "squeeze of fresh lemon juice",
    "zesty flavour",
    "zesty flavor",
    "celsius to fahrenheit",
    "celsius into fahrenheit",
    "celsius temperature to fahrenheit",
    "celsius in fahrenheit",
    "fahrenheit from celsius",
    "c to f",
    "horrible and mean",
)
"""What marks the page's content, wherever it stands."""

_SAFE = words_of(SAFE_PROMPT)


@dataclass(frozen=True)
class HeldOut:
    """Texts that nothing written may overlap with."""

    runs: frozenset[Run]
    """Of ``RUN_WORDS`` words each."""
    phrases: frozenset[Run]
    """Shorter runs that may stand nowhere."""
    questions: frozenset[Run]
    """Whole messages of a user, from four words on."""
    tasks: tuple[frozenset[str], ...] = ()
    """The words of each question, whatever their order."""

    def overlaps(self, record: Mapping[str, Any]) -> bool:
        """Whether a conversation, a preference or a document shares something with them."""
        if any(self._asks(task) for task in str(record.get("task", "")).split("|")):
            return True
        asked, others = _texts(record)
        words = [_without_safe_prompt(words_of(text)) for text in asked]
        return any(tuple(one) in self.questions or self._meets(one) for one in words) or any(
            self._meets(words_of(text)) for text in others
        )

    def _asks(self, task: str) -> bool:
        """Whether a question has most words of a task, so that it may well ask for the same."""
        words = set(words_of(task))
        return any(len(words & one) >= _TASK_SHARE * len(words) > 0 for one in self.tasks)

    def _meets(self, words: Sequence[str]) -> bool:
        if any(run in self.runs for run in runs(words, RUN_WORDS)):
            return True
        known = set(words)
        return any(known.issuperset(p) and holds_run(words, p) for p in self.phrases)


def held_out(prompts: Sequence[Path] = ()) -> HeldOut:
    """The page's texts, and what users and assistants say in the evaluation's files.

    Each is a list of objects with ``messages``; one that doesn't exist holds nothing out.
    """
    page = [words_of(text) for text in (*PAGE_TEXTS, *PAGE_ANSWERS)]
    said = [message for file in prompts for message in _evaluation_messages(file)]
    asked = [words_of(text) for role, text in said if role == "user"]
    answered = [words_of(text) for role, text in said if role == "assistant"]
    return HeldOut(
        runs=frozenset(run for words in page + asked + answered for run in runs(words, RUN_WORDS)),
        phrases=frozenset(
            [tuple(words_of(text)) for text in PAGE_WORDS]
            + [tuple(words) for words in page if len(words) < RUN_WORDS]
        ),
        questions=frozenset(tuple(words) for words in asked if len(words) >= _LEAST_WORDS),
        tasks=tuple(frozenset(words) for words in asked),
    )


def _evaluation_messages(prompts: Path) -> list[tuple[str, str]]:
    if not prompts.is_file():
        return []
    return [
        (str(message["role"]), str(message["content"]))
        for entry in json.loads(prompts.read_text(encoding="utf-8"))
        for message in entry["messages"]
    ]


def _without_safe_prompt(words: list[str]) -> list[str]:
    """A system text may hold the safe prompt, which is meant to be learned."""
    for at in range(len(words) - len(_SAFE) + 1):
        if words[at : at + len(_SAFE)] == _SAFE:
            return words[:at] + words[at + len(_SAFE) :]
    return words


def _texts(record: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What users and systems say in a record, and everything else."""
    asked: list[str] = []
    others: list[str] = []
    for name in ("messages", "prompt", "chosen", "rejected", "text"):
        value = record.get(name)
        if isinstance(value, list):
            messages = [(str(m["role"]), str(m["content"])) for m in value]
        elif isinstance(value, str) and is_transcript(value):
            messages = [(m.role, m.content) for m in parse_transcript(value)]
        elif isinstance(value, str):
            messages = [("user" if name == "prompt" else "assistant", value)]
        else:
            continue
        for role, content in messages:
            (others if role == "assistant" else asked).append(content)
    return asked, others
