"""Options in groups: what typer sees, and what the command gets."""

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ostro.cli import options
from ostro.cli.option_groups import grouped


@dataclass(frozen=True)
class Size:
    """A group."""

    width: Annotated[int, typer.Option(min=1, help="In metres.")] = 2
    is_tall: Annotated[bool, typer.Option("--tall")] = False


@dataclass(frozen=True)
class Framed(Size):
    """A larger one."""

    frame: Annotated[str | None, typer.Option()] = None


def answer(command, *words):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    return CliRunner().invoke(app, list(words))


def test_fields_become_options_in_their_places() -> None:
    got = []

    @grouped
    def paint(name: str, size: Framed, times: int = 1) -> None:
        """Paint it."""
        got.append((name, size, times))

    assert list(inspect.signature(paint).parameters) == [
        "name", "width", "is_tall", "frame", "times"
    ]  # fmt: skip
    assert answer(paint, "sea").exit_code == 0
    assert answer(paint, "sea", "--width", "3", "--tall", "--frame", "oak").exit_code == 0
    assert got == [("sea", Framed(), 1), ("sea", Framed(3, True, "oak"), 1)]
    told = answer(paint, "--help").output
    assert "Paint it." in told
    assert "In metres." in told
    assert answer(paint, "sea", "--width", "0").exit_code == 2


def test_what_the_command_names_itself_goes_into_the_group() -> None:
    got = []

    @grouped
    def paint(width: Annotated[int, typer.Option(min=9)] = 9, *, size: Size) -> None:
        got.append((width, size))

    assert answer(paint, "--width", "3").exit_code == 2
    assert answer(paint, "--width", "12").exit_code == 0
    assert got == [(12, Size(12))]


def test_groups_that_share_a_field_are_refused() -> None:
    with pytest.raises(ValueError, match="duplicate parameter name: 'width'"):

        @grouped
        def paint(size: Size, frame: Framed) -> None:
            """Which width?"""


def test_running_is_what_load_takes() -> None:
    running = options.Running(kind="BF16", threads=3, memory="8GiB", context=64)
    assert running.arguments() == {
        "threads": 3,
        "context": 64,
        "memory": "8GiB",
        "dtype": "BF16",
        "device": "cpu",
        "cache_type": None,
        "rope_scaling": None,
    }
