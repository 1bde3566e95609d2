"""Progress: lines where nobody watches, bars on a terminal, and nothing on standard output."""

import io

import pytest

from ostro.runtime.progress import Progress, SilentProgress, TerminalProgress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def run(progress: Progress, steps: int = 4) -> None:
    with progress.task("loading", 4, "items") as advance:
        for _ in range(steps):
            advance(1)


def test_silence() -> None:
    run(SilentProgress())
    SilentProgress().note("nothing")


def test_without_a_terminal_there_are_lines_now_and_then() -> None:
    stream = io.StringIO()
    run(TerminalProgress(stream, seconds_between_lines=0))
    assert stream.getvalue().splitlines() == [f"loading: {n}%" for n in (25, 50, 75, 100)]


def test_a_short_task_says_nothing_without_a_terminal() -> None:
    stream = io.StringIO()
    run(TerminalProgress(stream))
    assert stream.getvalue() == ""


def test_a_task_of_unknown_size_is_no_division_by_zero() -> None:
    stream = io.StringIO()
    with TerminalProgress(stream, seconds_between_lines=0).task("x", 0, "bytes") as advance:
        advance(1)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("unit", ["items", "bytes"])
def test_a_terminal_gets_a_bar_that_goes_away(unit: str) -> None:
    terminal = Terminal()
    with TerminalProgress(terminal).task("loading", 4, unit) as advance:  # type: ignore[arg-type]
        advance(4)
    written = terminal.getvalue()
    assert "loading" in written
    assert "4/4" in written
    assert written.endswith("\x1b[2K"), "the line is cleared"


def test_an_error_in_a_task_comes_out() -> None:
    for stream in (io.StringIO(), Terminal()):
        with (
            pytest.raises(KeyboardInterrupt),
            TerminalProgress(stream).task("loading", 4, "items"),
        ):
            raise KeyboardInterrupt


def test_notes_go_to_the_stream_and_default_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    TerminalProgress().note("one line")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "one line\n")
