"""Calls inside this process, timed in turn."""

import statistics
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]

# A measurement is repeated until it is as long as this, so that the clock's steps do not matter.
_LEAST_SECONDS = 0.02
# Between two kernels the threads of the one go to sleep and leave the cores to those of the other.
_PAUSE_SECONDS = 0.01


def seconds_of(calls: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Median seconds a call, measured A B C A B C ... after one round that does not count."""
    repeats = {name: _repeats(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(_PAUSE_SECONDS)
            call()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: statistics.median(values) for name, values in times.items()}


def _repeats(call: Call) -> int:
    """How many calls take long enough; the first one may prepare something."""
    call()
    start = time.perf_counter()
    call()
    return max(1, round(_LEAST_SECONDS / max(time.perf_counter() - start, 1e-7)))
