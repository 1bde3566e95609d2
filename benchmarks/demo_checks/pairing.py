"""Two models on the same documents: the difference is taken document by document.

What makes a document hard falls out of such differences, so that their error is smaller than that
of two means apart.
"""

import math
from collections.abc import Sequence

from ostro.evaluation.statistics import Estimate, mean_of, ratio_of

ERRORS = 2.0
"""So many standard errors are more than chance, in every check."""


def mean_difference(own: Sequence[float], other: Sequence[float]) -> Estimate:
    """The mean of own - other, each pair of one document."""
    return mean_of([a - b for a, b in zip(own, other, strict=True)])


def difference_per_token(
    own: Sequence[float], other: Sequence[float], tokens: Sequence[int]
) -> Estimate:
    """The sum of own - other over all tokens; documents are drawn, and not tokens."""
    return ratio_of([a - b for a, b in zip(own, other, strict=True)], tokens)


def unpaired_difference(own: Estimate, other: Estimate) -> Estimate:
    """Of two means whose documents are not known: their errors add in squares."""
    errors = (own.error, other.error)
    error = None if None in errors else math.hypot(*(e or 0.0 for e in errors))
    return Estimate(own.value - other.value, error, min(own.count, other.count))


def is_not_above(difference: Estimate, bound: float = 0.0) -> bool | None:
    """Whether it exceeds ``bound`` by no more than two standard errors; None: one document."""
    if difference.error is None:
        return None
    return difference.value - bound <= ERRORS * difference.error


def is_not_below(difference: Estimate, bound: float = 0.0) -> bool | None:
    """The same, turned round."""
    return is_not_above(Estimate(-difference.value, difference.error, difference.count), -bound)


def is_above(difference: Estimate, bound: float = 0.0) -> bool | None:
    """Whether it exceeds ``bound`` by more than two standard errors; None: one document."""
    below = is_not_above(difference, bound)
    return None if below is None else not below


def mcnemar(own: Sequence[bool], other: Sequence[bool]) -> float:
    """The chance of discordant pairs at least as uneven, if neither side is better (exact)."""
    pairs = list(zip(own, other, strict=True))
    only_own = sum(a and not b for a, b in pairs)
    only_other = sum(b and not a for a, b in pairs)
    count, fewer = only_own + only_other, min(only_own, only_other)
    tail: float = sum(math.comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2 * tail)


def told(estimate: Estimate, scale: float = 1.0, digits: int = 1) -> str:
    """``value +- error`` for a person."""
    error = "?" if estimate.error is None else f"{scale * estimate.error:.{digits}f}"
    return f"{scale * estimate.value:.{digits}f} +- {error}"
