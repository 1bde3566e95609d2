"""Engines measured in turn, round after round, so that a slow moment of the machine hits all.

The medians count. A round in which somebody else used the processor is measured again while there
is patience, and counts only where there are too few quiet ones.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from quiet import wait_for_quiet

# Of all cores' time; a browser in the background stays below, a compiler does not.
NOISE = 0.03


class EngineFailed(Exception):
    """An engine that ended instead of answering; its last words are the message."""


@dataclass(frozen=True)
class Sample:
    """One measurement: a speed, and the share of the cores that others used meanwhile."""

    speed: float
    others: float


@dataclass
class Series:
    """The samples of one engine."""

    samples: list[Sample] = field(default_factory=list)

    def quiet(self) -> list[Sample]:
        """Those that nobody disturbed."""
        return [sample for sample in self.samples if sample.others <= NOISE]

    def counted(self, rounds: int) -> list[Sample]:
        """The quiet samples, and the least disturbed others up to ``rounds``."""
        ordered = sorted(self.samples, key=lambda sample: sample.others)
        return ordered[: max(rounds, len(self.quiet()))]

    def median(self, rounds: int) -> float:
        """Median speed; 0 where nothing was measured."""
        counted = self.counted(rounds)
        return statistics.median(sample.speed for sample in counted) if counted else 0.0


Measure = Callable[[], Sample]


def alternate(
    measures: Mapping[str, Measure],
    *,
    rounds: int,
    patience: float,
    note: Callable[[str], None],
    wait: Callable[[float], bool] = wait_for_quiet,
) -> dict[str, Series]:
    """Measure A B C A B C ... after one round that does not count.

    ``patience`` is how many seconds to wait in all for a quiet machine. While some are left,
    disturbed rounds are tried again, up to three times as many as wanted. An engine that fails is
    told to ``note`` and left out from then on; what it measured before does not count either.
    """
    series = {name: Series() for name in measures}
    left = Patience(patience, wait)
    for number in range(3 * rounds + 1):
        if number > rounds and (left.spent or _enough(series.values(), rounds)):
            break
        for name in list(series):
            left.wait()
            try:
                sample = measures[name]()
            except EngineFailed as failure:
                note(f"{name}: {failure}")
                del series[name]
                continue
            if number:
                series[name].samples.append(sample)
    return series


class Patience:
    """Seconds that may be spent on waiting for a quiet machine."""

    def __init__(self, seconds: float, wait: Callable[[float], bool]) -> None:
        self._left, self._wait = seconds, wait

    @property
    def spent(self) -> bool:
        """Whether no second is left."""
        return self._left <= 0

    def wait(self) -> None:
        """Wait for a quiet moment, as long as there is patience."""
        if not self.spent:
            start = time.monotonic()
            self._wait(self._left)
            self._left -= time.monotonic() - start


def _enough(series: Iterable[Series], rounds: int) -> bool:
    return all(len(one.quiet()) >= rounds for one in series)
