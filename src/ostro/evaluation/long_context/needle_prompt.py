"""Needles in noise, in the manner of Hsieh et al., "RULER" (2024): many, and few are asked for.

A needle is a sentence that tells a number of a thing, whose name is two words. Every other needle
in the text shares one of the two with the name that is asked for, so that a model must read both.
Sentences and words are ostro's own; scores are not those of RULER's tasks.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from ostro.errors import OstroError
from ostro.evaluation.long_context.fitting import longest_fit
from ostro.evaluation.long_context.needle_words import ADJECTIVES, NOUNS
from ostro.evaluation.long_context.passkey_prompt import NOISE
from ostro.evaluation.long_context.trials import Encode

TASK = (
    "Some sentences of the following text tell numbers of things. Remember which number belongs to "
    "which thing: you will be asked for it at the end."
)
_SENTENCES = tuple(re.findall(r"[^.]+\.", NOISE.replace(". ", ".")))
_TOKENS_FOR_A_NUMBER = 10


@dataclass(frozen=True)
class Question:
    """What is asked: all of some ``values`` that one name has, among so many ``needles``."""

    name: str
    needles: int
    values: int = 1

    def __post_init__(self) -> None:
        most = len(ADJECTIVES) + len(NOUNS) - 2 + self.values
        if not 1 <= self.values < self.needles <= most:
            raise OstroError(
                f"{self.needles} needles of which {self.values} are asked for are out of range; "
                f"give more needles than are asked for, and at most {most}"
            )

    @property
    def chance(self) -> float:
        """The expected score of one who names numbers in the text, and does not know which."""
        return self.values / self.needles

    @property
    def max_tokens(self) -> int:
        """Tokens of an answer."""
        return _TOKENS_FOR_A_NUMBER * self.values

    @property
    def words(self) -> str:
        """It, for a table."""
        asked = "one" if self.values == 1 else f"all {self.values} of one name"
        return f"{asked} among {self.needles}"


ONE = Question("one", needles=8)
ALL = Question("all", needles=12, values=3)


@dataclass(frozen=True)
class Haystack:
    """The needles of a trial and where they stand, whatever the length."""

    key: str
    """The name that is asked for."""
    values: tuple[int, ...]
    """Its numbers."""
    needles: tuple[tuple[float, str], ...]
    """Sentences, and the share of the noise that precedes each; in this order."""

    def text(self, question: Question, sentences: int) -> str:
        """The prompt with so many sentences of noise."""
        lines: list[list[str]] = [[] for _ in range(sentences + 1)]
        for depth, needle in self.needles:
            lines[int(depth * (sentences + 1))].append(needle)
        noise = [*islice(cycle(_SENTENCES), sentences), ""]
        parts = [part for own, one in zip(lines, noise, strict=True) for part in (*own, one)]
        body = " ".join(part for part in parts if part)
        return "\n".join([TASK, body, _asked(self.key, question.values)])


def draw_haystack(question: Question, seed: int, length: int, number: int) -> Haystack:
    """The needles of a trial, the same at every call."""
    draw = random.Random(f"{seed}/{question.name}/{length}/{number}")
    key, others = _draw_names(draw, question.needles - question.values)
    numbers = draw.sample(range(10_000, 100_000), question.needles)
    values = tuple(numbers[: question.values])
    names = [key] * question.values + others
    sentences = [f"A number of the {name} is {n}." for name, n in zip(names, numbers, strict=True)]
    draw.shuffle(sentences)
    depths = sorted(draw.random() for _ in sentences)
    return Haystack(key, values, tuple(zip(depths, sentences, strict=True)))


def needle_ids(encode: Encode, question: Question, haystack: Haystack, room: int) -> list[int]:
    """The prompt in at most ``room`` tokens."""
    return longest_fit(lambda sentences: encode(haystack.text(question, sentences)), room)


def share_named(answer: str, values: Sequence[int]) -> float:
    """The share of ``values`` among the answer's first integers, as many as there are values.

    More are not looked at, so that naming all numbers of the text is worth no more than guessing.
    """
    named = [int(text) for text in re.findall(r"\d+", answer, re.ASCII)[: len(values)]]
    return len(set(named) & set(values)) / len(values)


def _draw_names(draw: random.Random, others: int) -> tuple[str, list[str]]:
    """A name, and others that share a word with it: the first, the second, in turn."""
    adjective, *adjectives = draw.sample(ADJECTIVES, len(ADJECTIVES))
    noun, *nouns = draw.sample(NOUNS, len(NOUNS))
    by_turns = [
        name
        for pair in zip(nouns, adjectives, strict=True)
        for name in (f"{adjective} {pair[0]}", f"{pair[1]} {noun}")
    ]
    return f"{adjective} {noun}", by_turns[:others]


def _asked(key: str, values: int) -> str:
    if values == 1:
        return f"Which number does the {key} have? A number of the {key} is"
    return f"Which {values} numbers does the {key} have? The {values} numbers of the {key} are"
