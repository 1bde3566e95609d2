"""Numbered steps and the time left, on one live line or, without a terminal, a line a step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

# The first guess counts like this many seconds of experience with this machine.
PRIOR_SECONDS = 20.0


def show_seconds(seconds: float) -> str:
    """``40 s``, ``2 min``: as coarse as an estimate deserves."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min"


class Steps:
    """Shows which step runs and estimates the time left from the steps done so far.

    ``plan`` names each step and the seconds it takes on an ordinary machine. This machine's pace
    is what has really passed over what was expected for the part done.
    """

    def __init__(
        self,
        plan: list[tuple[str, float]],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._seconds = [seconds for _, seconds in plan]
        self._stream = sys.stdout if stream is None else stream
        self._clock = clock
        self._begin = self._step_begin = clock()
        self._current = -1
        self._title = ""
        self._fraction: Callable[[], float] | None = None

    def start(self, title: str, fraction: Callable[[], float] | None = None) -> None:
        """Go to the next step; ``fraction`` says how far it is (0 to 1), where that is known."""
        if self._current < 0:
            self._begin = self._clock()
        self._end_line(" done")
        self._current += 1
        self._title, self._fraction = title, fraction
        self._step_begin = self._clock()
        if self._stream.isatty():
            self.refresh()
        else:
            self._write(f"{self._heading()} (about {show_seconds(self.time_left())} left)\n")

    def only(self, name: str) -> None:
        """Before the first step: leave nothing in the plan but the step ``name``."""
        self._plan = [step for step in self._plan if step[0] == name]
        self._seconds = [seconds for _, seconds in self._plan]

    def expect(self, seconds: float) -> None:
        """Correct what the next step will take, once that is known better."""
        self._seconds[self._current + 1] = seconds

    def time_left(self) -> float:
        """Seconds until the last step ends, by this machine's pace so far."""
        done = sum(self._seconds[: self._current]) + self._done_of_current()
        elapsed = self._clock() - self._begin
        pace = (elapsed + PRIOR_SECONDS) / (done + PRIOR_SECONDS)
        return (sum(self._seconds) - done) * pace

    def refresh(self) -> None:
        """Rewrite the live line; nothing without a terminal."""
        if self._stream.isatty():
            passed = self._clock() - self._step_begin
            clock = f"{int(passed) // 60}:{int(passed) % 60:02d}"
            left = show_seconds(self.time_left())
            self._write(f"\r\x1b[2K{self._heading()} {clock}, about {left} left")

    def say(self, text: str) -> None:
        """Print lines between the steps' own."""
        self._end_line("")
        self._write(text + "\n")

    def finish(self) -> None:
        """End the last step and say what the whole took."""
        self._end_line(" done")
        self._current = -1
        self._write(f"Installed in {self._clock() - self._begin:.0f} s.\n")

    def close(self) -> None:
        """Leave the live line as it is and go to a new one."""
        if self._current >= 0 and self._stream.isatty():
            self._write("\n")

    def _done_of_current(self) -> float:
        """Expected seconds already covered; by the clock alone it never quite reaches the end."""
        expected = self._seconds[self._current]
        if self._fraction is not None:
            return expected * self._fraction()
        return min(self._clock() - self._step_begin, 0.95 * expected)

    def _heading(self) -> str:
        return f"[{self._current + 1}/{len(self._seconds)}] {self._title}"

    def _end_line(self, suffix: str) -> None:
        if self._current >= 0 and self._stream.isatty():
            self._write(f"\r\x1b[2K{self._heading()}{suffix}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
