"""A table's cells in words: what a page, a terminal and a CSV file have in common."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ostro.evaluation.report.contents import Cell, Table
from ostro.evaluation.statistics import Estimate

CHANCE_MARK = "°"
NO_DATA = "no data"
_CHANCE_LEGEND = f"{CHANCE_MARK} within what guessing would give, with 95 %"
_ERROR_LEGEND = "± one standard error"


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is to be read in one place of a table."""

    text: str
    """The number without its error, the text, or ``NO_DATA``; empty where nothing was given."""
    error: str = ""
    """One standard error, as it is shown behind ±; empty where there is none."""
    mark: str = ""
    note: int | None = None
    """Counted from 1: which of the table's notes belongs here."""
    key: float | None = None
    """What a column is sorted by; None where there is no number."""
    is_missing: bool = False

    @property
    def line(self) -> str:
        """All of it in one line of plain text."""
        error = f" ± {self.error}" if self.error else ""
        note = f" [{self.note}]" if self.note else ""
        return f"{self.text}{error}{self.mark}{note}"


@dataclass(frozen=True, kw_only=True)
class WordedTable:
    """A table in words, with its notes numbered and its signs explained."""

    rows: Sequence[Sequence[Words]]
    legend: Sequence[str]
    """What signs mean, and what the whole table's notes say."""
    notes: Sequence[str]
    """Notes of single cells; the first is number 1. Equal notes share a number."""

    @property
    def foot(self) -> list[str]:
        """Everything that is to be read below the table, a line each."""
        numbered = (f"[{number}] {note}" for number, note in enumerate(self.notes, 1))
        return [*self.legend, *numbered]


def worded(table: Table) -> WordedTable:
    """All cells of a table in words."""
    notes: dict[str, int] = {}
    rows = [[_words(cell, notes) for cell in row] for row in table.rows]
    cells = [words for row in rows for words in row]
    legend = [_ERROR_LEGEND] if any(words.error for words in cells) else []
    legend += [_CHANCE_LEGEND] if any(words.mark for words in cells) else []
    return WordedTable(rows=rows, legend=[*legend, *table.notes], notes=list(notes))


def sort_key(cell: Cell) -> float | None:
    """The number of a cell as it is shown; None where there is none that can be compared."""
    if cell.number is None or cell.missing is not None:
        return None
    value = cell.number.value if isinstance(cell.number, Estimate) else float(cell.number)
    return _scaled(value, cell) if math.isfinite(value) else None


def error_of(cell: Cell) -> float | None:
    """One standard error of a cell's number as it is shown; None where there is none."""
    if not isinstance(cell.number, Estimate) or cell.missing is not None:
        return None
    return None if cell.number.error is None else _scaled(cell.number.error, cell)


def remarks_of(cell: Cell) -> str:
    """Why there is no data, and what is to be known of a cell; empty where that is nothing."""
    return "; ".join(text for text in (cell.missing, cell.note) if text)


def file_name(name: str) -> str:
    """``name`` as a file's without its ending: lower case, digits and dashes, never a path."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"


def unique(name: str, taken: Iterable[str]) -> str:
    """``name``, or with the first number behind it that no other has."""
    others, number, found = set(taken), 2, name
    while found in others:
        found, number = f"{name}-{number}", number + 1
    return found


def _words(cell: Cell, notes: dict[str, int]) -> Words:
    remarks = remarks_of(cell)
    note = notes.setdefault(remarks, len(notes) + 1) if remarks else None
    if cell.missing is not None:
        return Words(text=NO_DATA, note=note, is_missing=True)
    if cell.text is not None:
        return Words(text=cell.text, note=note, mark=_mark(cell), key=sort_key(cell))
    if cell.number is None:
        return Words(text="", note=note)
    value = cell.number.value if isinstance(cell.number, Estimate) else float(cell.number)
    return Words(
        text=f"{value * cell.scale:.{cell.digits}f}",
        error=_error_text(error_of(cell), cell.digits),
        mark=_mark(cell),
        note=note,
        key=sort_key(cell),
    )


def _error_text(error: float | None, digits: int) -> str:
    """An error that is not 0 never reads as 0."""
    if error is None:
        return ""
    smallest = 10.0**-digits
    if 0 < error < smallest / 2:
        return f"<{smallest:.{digits}f}"
    return f"{error:.{digits}f}"


def _mark(cell: Cell) -> str:
    return CHANCE_MARK if cell.is_chance else ""


def _scaled(value: float, cell: Cell) -> float:
    """Without the last binary digits' noise: 0.706 in % is 70.6 and not 70.6000000001."""
    return float(f"{value * cell.scale:.12g}")
