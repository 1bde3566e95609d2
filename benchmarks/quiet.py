"""Whether somebody else used the processor while something was measured."""

import time
from dataclasses import dataclass
from pathlib import Path

_STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Moment:
    """The processors' time up to a moment, in ticks: all of it, and what was idle."""

    total: int
    idle: int

    @classmethod
    def now(cls, stat: Path = _STAT) -> "Moment":
        """Read the kernel's counters; all zero where it keeps none."""
        try:
            ticks = [int(word) for word in stat.read_text().partition("\n")[0].split()[1:9]]
        except (OSError, ValueError):
            return cls(0, 0)
        return cls(sum(ticks), ticks[3] + ticks[4])


def busy_share(before: Moment, after: Moment) -> float:
    """The share of all cores that was in use between two moments; 0 where that is unknown."""
    total = after.total - before.total
    return 1 - (after.idle - before.idle) / total if total else 0.0


def wait_for_quiet(seconds: float, *, limit: float = 0.06, window: float = 0.3) -> bool:
    """Wait until the machine is nearly idle, at most ``seconds``; whether it became so."""
    stop = time.monotonic() + seconds
    while True:
        before = Moment.now()
        time.sleep(window)
        if busy_share(before, Moment.now()) <= limit:
            return True
        if time.monotonic() >= stop:
            return False
