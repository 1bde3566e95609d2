"""What a step costs: measured as the engine runs, and predicted for steps that might be.

A step's time is that of reading weights once and of computing each row:

    seconds = seconds_per_byte * (shared + distinct experts * expert) + seconds_per_row * rows
"""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_DRAFTS = 7
"""The most guessed tokens that one answer checks in a step."""
_RATE = 0.1
_FEWEST_PROMPT_ROWS = 16


@dataclass(frozen=True)
class WeightBytes:
    """What a step reads: the shared weights once, and every expert that any row chose."""

    shared: float
    expert: float
    experts: int
    """Of all layers; 0 in a dense model."""


class StepCost:
    """Measures what steps cost, and predicts others."""

    def __init__(self, weights: WeightBytes) -> None:
        self._weights = weights
        self._per_byte = 0.0
        self._per_row = 0.0
        self._reach = [0.0] * (MOST_DRAFTS + 1)
        self._alone = 0.0

    @property
    def is_known(self) -> bool:
        """Whether both rates have been measured."""
        return self._per_byte > 0 and self._per_row > 0

    def observe(self, rows: int, distinct: float, seconds: float) -> None:
        """A step of so many rows, whose tokens chose so many distinct experts, took so long."""
        if rows >= _FEWEST_PROMPT_ROWS:
            self._per_row = _follow(self._per_row, seconds / rows)
        elif self._per_row:
            left = max(seconds - rows * self._per_row, 0.1 * seconds)
            self._per_byte = _follow(self._per_byte, left / self._bytes(distinct))

    def observe_distinct(self, rows: int, distinct: float) -> None:
        """So many rows chose so many distinct experts."""
        everything = self._weights.experts
        missed = max(1 - distinct / everything, 1e-9) ** (1 / rows)
        self._alone = _follow(self._alone, everything * (1 - missed))

    def distinct(self, rows: int) -> float:
        """How many distinct experts so many rows choose, if they choose independently."""
        everything = self._weights.experts
        return everything * (1 - (1 - self._alone / everything) ** rows) if everything else 0.0

    def observe_reach(self, reach: Sequence[float]) -> None:
        """``reach[j]`` is how many distinct experts an answer's last j + 1 tokens chose."""
        for index, count in enumerate(reach):
            self._reach[index] = _follow(self._reach[index], count)

    def seconds(self, rows: int, distinct: float) -> float:
        """What a step would take."""
        return self._per_byte * self._bytes(distinct) + self._per_row * rows

    def new_experts(self, depth: int, distinct: float) -> float:
        """How many experts the ``depth``-th draft adds to ``distinct`` that are wanted anyway."""
        if not self._weights.experts:
            return 0.0
        reach, everything = self._reach, self._weights.experts
        free = max(everything - reach[0], 1.0)
        # Those that the rest of the step chose are there already, whoever chose them.
        return max(reach[depth] - reach[depth - 1], 0.0) * max(everything - distinct, 0.0) / free

    def _bytes(self, distinct: float) -> float:
        return self._weights.shared + distinct * self._weights.expert


def _follow(old: float, new: float) -> float:
    return new if not old else old + _RATE * (new - old)
