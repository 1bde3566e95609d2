"""Passkey retrieval: a number hidden in noise, over lengths and depths."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation.long_context.lengths import chosen_lengths, require_lengths
from ostro.evaluation.long_context.passkey_prompt import draw_key, names_key, passkey_ids
from ostro.evaluation.long_context.passkey_section import passkey_section
from ostro.evaluation.long_context.trials import Answerer, Encode, GreedyAnswerer, Trial, ask
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the noise that precede the key."""


@dataclass(frozen=True, kw_only=True)
class Passkey:
    """Whether a model finds a number, for every length and depth."""

    lengths: Sequence[int] | None = None
    """In tokens, room for the answer included; None: powers of two from 512 to the context."""
    depths: Sequence[float] = DEPTHS
    keys: int = 5
    """Trials of a cell, each with a key of its own."""
    seed: int = 0
    max_tokens: int = 10
    """Tokens of an answer."""
    answerer: Callable[[LLM], Answerer] = field(default=GreedyAnswerer, repr=False)
    name: str = "passkey"

    def check(self, subject: Subject) -> None:
        """Refuse lengths beyond the model, and depths that are no share."""
        require_lengths(self.lengths, subject, self.max_tokens + 1)
        wrong = [depth for depth in self.depths if not 0 <= depth <= 1]
        if wrong:
            raise OstroError(f"a depth of {wrong[0]:g} is out of range; give shares from 0 to 1")
        if self.keys < 1 or not self.depths:
            raise OstroError("a passkey test needs a depth and a key at least; give one")

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Ask for the keys that were not asked for yet."""
        lengths = chosen_lengths(self.lengths, subject)
        depths = sorted({float(depth) for depth in self.depths})
        terms = {"seed": self.seed, "max_tokens": self.max_tokens}
        cells = [(length, depth) for length in lengths for depth in depths]
        with results.open(subject.key, self.name, terms) as units:
            ask(
                [self._trial(*cell, number) for cell in cells for number in range(self.keys)],
                subject,
                units,
                progress,
                answerer=self.answerer,
                max_tokens=self.max_tokens,
                label=f"passkeys of {subject.name}",
            )
            return {"cells": [self._cell(*cell, units) for cell in cells]}

    def section(self, found: Mapping[str, Found]) -> Section:
        """The heat map, and its cells with counts."""
        return passkey_section(self.name, found)

    def _trial(self, length: int, depth: float, number: int) -> Trial:
        key, room = draw_key(self.seed, length, depth, number), length - self.max_tokens

        def prompt(encode: Encode) -> list[int]:
            return passkey_ids(encode, key, depth, room)

        return Trial(
            _unit(length, depth, number), prompt, lambda answer: float(names_key(answer, key))
        )

    def _cell(self, length: int, depth: float, units: Units) -> dict[str, Any]:
        values = [units[_unit(length, depth, number)] for number in range(self.keys)]
        return {
            "length": length,
            "depth": depth,
            "keys": self.keys,
            "right": sum(value["score"] == 1 for value in values),
            "answers": [value["answer"] for value in values],
        }


def _unit(length: int, depth: float, number: int) -> str:
    return f"{length}/{depth}/{number}"
