"""Progress for anything that takes over a second: a protocol, silence, and bars on a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol, TextIO

Unit = Literal["bytes", "items"]
Advance = Callable[[int], None]


class Progress(Protocol):
    """Something that can show how far a task is."""

    def task(self, label: str, total: int, unit: Unit) -> AbstractContextManager[Advance]:
        """Open a task of ``total`` units; call what it gives with the units just done."""
        ...

    def note(self, text: str) -> None:
        """Show one line."""
        ...


class SilentProgress:
    """Shows nothing."""

    @contextmanager
    def task(self, label: str, total: int, unit: Unit) -> Iterator[Advance]:
        """A task nobody watches."""
        yield lambda done: None

    def note(self, text: str) -> None:
        """A line nobody reads."""


class TerminalProgress:
    """Bars with the time left on a terminal; elsewhere a line now and then.

    Everything goes to ``stream`` (default: standard error), so that standard output stays clean.
    """

    def __init__(self, stream: TextIO | None = None, seconds_between_lines: float = 10.0) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._between = seconds_between_lines

    def task(self, label: str, total: int, unit: Unit) -> AbstractContextManager[Advance]:
        """A bar that disappears when the task ends, or plain lines where there is no terminal."""
        return self._bar(label, total, unit) if self._stream.isatty() else self._lines(label, total)

    def note(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def _bar(self, label: str, total: int, unit: Unit) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
        with Bars(*columns, console=Console(file=self._stream), transient=True) as bars:
            bar = bars.add_task(label, total=total)
            yield lambda done: bars.advance(bar, done)

    @contextmanager
    def _lines(self, label: str, total: int) -> Iterator[Advance]:
        done, next_line = 0, time.monotonic() + self._between

        def advance(count: int) -> None:
            nonlocal done, next_line
            done += count
            if time.monotonic() >= next_line and total:
                next_line = time.monotonic() + self._between
                self.note(f"{label}: {100 * done / total:.0f}%")

        yield advance
