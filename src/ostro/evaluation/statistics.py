"""Estimates with their errors, and what chance alone would give."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Z95 = 1.959963984540054
"""A normal deviate lies within so many deviations of 0 with probability 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A mean over some documents, and how far off it may be."""

    value: float
    error: float | None
    """Standard error of the mean, with n - 1; None for fewer than two documents."""
    count: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the mean lies with 95 %, as far as it is normally distributed."""
        if self.error is None:
            return None
        return self.value - Z95 * self.error, self.value + Z95 * self.error

    def is_chance(self, chance: float) -> bool:
        """Whether guessing at ``chance`` would explain it: within 95 % of what guessing gives.

        The spread is that of so many guesses and not the sample's own, which is 0 where all
        answers are wrong.
        """
        spread = math.sqrt(chance * (1 - chance) / self.count)
        return abs(self.value - chance) <= Z95 * spread

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"value": self.value, "error": self.error, "n": self.count}


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean of some values, each of a document of its own."""
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Estimate(mean, None, count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Estimate(mean, math.sqrt(variance / count), count)


def ratio_of(amounts: Sequence[float], sizes: Sequence[float]) -> Estimate:
    """The sum of ``amounts`` over the sum of ``sizes``, one of each for a document.

    The error is that of a ratio estimator (Cochran, Sampling Techniques, 1977, 2.11): documents of
    different sizes are drawn, and not tokens.
    """
    count, total = len(amounts), math.fsum(sizes)
    ratio = math.fsum(amounts) / total
    if count < 2:
        return Estimate(ratio, None, count)
    residuals = (a - ratio * s for a, s in zip(amounts, sizes, strict=True))
    variance = math.fsum(r * r for r in residuals) / (count - 1)
    return Estimate(ratio, math.sqrt(count * variance) / total, count)


def together(parts: Sequence[Estimate], weights: Sequence[float] | None = None) -> Estimate:
    """The weighted mean of independent estimates; by default all documents count alike."""
    weights = [part.count for part in parts] if weights is None else weights
    total = math.fsum(weights)
    shares = [weight / total for weight in weights]
    pairs = list(zip(parts, shares, strict=True))
    value = math.fsum(part.value * share for part, share in pairs)
    count = sum(part.count for part in parts)
    if any(part.error is None for part in parts):
        return Estimate(value, None, count)
    variance = math.fsum(((part.error or 0.0) * share) ** 2 for part, share in pairs)
    return Estimate(value, math.sqrt(variance), count)
