"""Things that are spoken of: what is said about each, and what may be asked back in few words.

In a statement and in an answer, names in braces are columns of the topic's rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Row = Mapping[str, str]


@dataclass(frozen=True)
class Ask:
    """An elliptical question about one column."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """A kind of conversation."""

    openings: tuple[str, ...]
    statements: tuple[str, ...]
    """Each tells all that may be asked."""
    asks: tuple[Ask, ...]
    rows: tuple[Row, ...]


def rows(columns: str, *lines: str) -> tuple[Row, ...]:
    """A table: names of columns, then a line for each row, with bars between."""
    names = columns.split("|")
    return tuple(dict(zip(names, line.split("|"), strict=True)) for line in lines)
