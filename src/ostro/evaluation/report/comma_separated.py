"""Tables and the numbers of plots as CSV (RFC 4180), for pages and for files."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ostro.evaluation.report.contents import Cell, Plot, Table
from ostro.evaluation.report.wording import error_of, remarks_of, sort_key, unique
from ostro.evaluation.statistics import Estimate


def table_csv(table: Table) -> str:
    """A table with unrounded numbers, scaled as shown.

    Beside a column come its standard errors, documents (n), its words where they stand in place
    of numbers, and its remarks: each only where some cell has any. No data is an empty field.
    """
    columns = list(_columns(table))
    return _csv(
        [header for header, _ in columns], zip(*(values for _, values in columns), strict=True)
    )


def plot_csv(plot: Plot) -> str:
    """The numbers in a plot. None is an empty field."""
    return _csv(list(plot.data), zip(*plot.data.values(), strict=True))


def _columns(table: Table) -> Iterator[tuple[str, list[Any]]]:
    """Headers, each its own, and the values under them."""
    taken: list[str] = []
    for index, column in enumerate(table.columns):
        cells = [row[index] for row in table.rows]
        for suffix, values in _parts(cells):
            if suffix == "" or any(value not in (None, "") for value in values):
                taken.append(unique(f"{column}{suffix}", taken))
                yield taken[-1], values


def _parts(cells: Sequence[Cell]) -> Iterator[tuple[str, list[Any]]]:
    """The values of a column, and what belongs to them."""
    estimates = [
        cell.number if isinstance(cell.number, Estimate) and cell.missing is None else None
        for cell in cells
    ]
    has_numbers = any(sort_key(cell) is not None for cell in cells)
    words = [None if cell.missing is not None else cell.text for cell in cells]
    yield "", [sort_key(cell) for cell in cells] if has_numbers else words
    yield " standard error", [error_of(cell) for cell in cells]
    yield " n", [None if found is None else found.count for found in estimates]
    if has_numbers:
        yield " shown as", words
    yield " remark", [_remark(cell) for cell in cells]


def _remark(cell: Cell) -> str:
    chance = f"within chance, {cell.chance:g}" if cell.is_chance else ""
    missing = "no data" if cell.missing is not None else ""
    return "; ".join(text for text in (missing, chance, remarks_of(cell)) if text)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
