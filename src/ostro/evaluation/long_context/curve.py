"""A model's perplexity over lengths, its steps, and in words which way it goes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from ostro.evaluation.measurement import Found
from ostro.evaluation.statistics import Estimate, mean_of, ratio_of


@dataclass(frozen=True)
class Step:
    """From one length to the next."""

    before: int
    after: int
    change: Estimate
    """Of the mean loss in nats: the mean over documents of each one's own change."""

    @property
    def is_clear(self) -> bool:
        """Whether it is beyond its own error, with 95 %."""
        interval = self.change.interval
        return interval is not None and not interval[0] <= 0 <= interval[1]

    @property
    def words(self) -> str:
        """The lengths."""
        return f"{self.before} to {self.after}"


@dataclass(frozen=True)
class Range:
    """A value, and between what it lies with 95 %; None for one document."""

    value: float
    interval: tuple[float, float] | None


class Curve:
    """What was found of one model."""

    def __init__(self, found: Found) -> None:
        self.lengths: tuple[int, ...] = tuple(found["lengths"])
        self._scores: list[Mapping[str, Any]] = [one["scores"] for one in found["documents"]]

    def loss(self, length: int) -> Estimate:
        """Mean negative log-likelihood of a token in nats; the error is that over documents."""
        scores = [score[str(length)] for score in self._scores]
        return ratio_of([score["loss"] for score in scores], [score["tokens"] for score in scores])

    def perplexity(self, length: int) -> Estimate:
        """Exp of the loss; its error to the first order, which is perplexity times the loss's."""
        loss = self.loss(length)
        value = math.exp(loss.value)
        return Estimate(value, None if loss.error is None else value * loss.error, loss.count)

    def range(self, length: int) -> Range:
        """The perplexity, and exp of the loss's interval."""
        loss = self.loss(length)
        return Range(math.exp(loss.value), _mapped(math.exp, loss.interval))

    def tokens(self, length: int) -> int:
        """Tokens that were scored."""
        return sum(score[str(length)]["tokens"] for score in self._scores)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """From each length to the next."""
        return tuple(
            Step(before, after, self.change(before, after))
            for before, after in pairwise(self.lengths)
        )

    def change(self, before: int, after: int) -> Estimate:
        """Of the mean loss between two lengths: the mean over documents of each one's own."""
        return mean_of([_mean(score, after) - _mean(score, before) for score in self._scores])

    def relative(self, length: int) -> Range:
        """Change of the perplexity since the shortest length, in percent."""
        change = self.change(self.lengths[0], length)
        return Range(_percent(change.value), _mapped(_percent, change.interval))

    @property
    def verdict(self) -> str:
        """Whether it falls throughout, in a sentence."""
        if not self.steps:
            return "There is one length only, and so nothing to say of a direction."
        rising = [step for step in self.steps if step.change.value >= 0]
        if rising:
            return self._not_falling(rising)
        unclear = [step.words for step in self.steps if not step.is_clear]
        if not unclear:
            return "It falls at every step, each time by more than the step's error (95 %)."
        if self.steps[0].change.error is None:
            return "It falls at every step; of one document no error can be told."
        return (
            f"It falls at every step, but by no more than the error (95 %) from "
            f"{_listed(unclear)}: there it may be level."
        )

    def _not_falling(self, rising: Sequence[Step]) -> str:
        clear = [step.words for step in rising if step.is_clear]
        rest = [step.words for step in rising if not step.is_clear]
        parts = [f"It rises from {_listed(clear)}, by more than the error (95 %)."] if clear else []
        if rest:
            is_known = self.steps[0].change.error is not None
            error = "within the error" if is_known else "by how much more than chance is unknown"
            parts.append(f"From {_listed(rest)} it does not fall ({error}).")
        return " ".join(["It does not fall throughout.", *parts])


def _mean(score: Mapping[str, Any], length: int) -> float:
    one = score[str(length)]
    return float(one["loss"] / one["tokens"])


def _mapped(
    function: Callable[[float], float], interval: tuple[float, float] | None
) -> tuple[float, float] | None:
    return None if interval is None else (function(interval[0]), function(interval[1]))


def _percent(nats: float) -> float:
    """What a change of the loss is of the perplexity."""
    return 100 * math.expm1(nats)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
