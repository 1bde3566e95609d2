"""A report as lines of plain text, for a terminal."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.cells import cell_len

from ostro.evaluation.report.contents import Block, Markup, Plot, Report, Section, Table
from ostro.evaluation.report.wording import worded

_GAP = "  "
Columns = list[tuple[bool, list[str]]]
"""Whether a column holds numbers, and its lines, the header first."""


def report_lines(report: Report, width: int = 100) -> list[str]:
    """The whole report in lines of at most ``width`` characters, as far as words allow."""
    lines = [_clean(report.title), "=" * cell_len(_clean(report.title)), ""]
    for name, value in report.facts:
        lines += _wrapped(f"{name}: {value}", width)
    for section in report.sections:
        lines += ["", *section_lines(section, width)]
    return lines


def section_lines(section: Section, width: int = 100) -> list[str]:
    """One section: its title, its protocol, and its blocks."""
    title = _clean(section.title)
    lines = [title, "-" * cell_len(title), *_wrapped(section.protocol, width)]
    for block in section.blocks:
        lines += ["", *_block_lines(block, width)]
    return lines


def _block_lines(block: Block, width: int) -> list[str]:
    match block:
        case Table():
            return table_lines(block, width)
        case Plot():
            return _wrapped(f"Plot, {block.title}: {block.caption}", width)
        case Markup():
            return [_clean(block.title), *map(_clean, block.plain.splitlines())]
        case _:
            return _wrapped(block, width)


def table_lines(table: Table, width: int = 100) -> list[str]:
    """A table with aligned columns; where it is too wide, the rest follows below."""
    words = worded(table)
    columns: Columns = []
    for index, header in enumerate(table.columns):
        cells = [row[index] for row in words.rows]
        is_number = any(cell.key is not None for cell in cells)
        columns.append((is_number, [_clean(header), *(_clean(cell.line) for cell in cells)]))
    lines = _wrapped(table.title, width)
    for part, group in enumerate(_groups(columns, _naming(columns[: table.names], width), width)):
        lines += [*([""] if part else []), *_aligned(group)]
    for note in words.foot:
        lines += _wrapped(note, width)
    return lines


def _groups(columns: Columns, count: int, width: int) -> Iterator[Columns]:
    """Columns that fit beside each other, each time with the first ``count``."""
    names, rest = columns[:count], columns[count:]
    least = _beside(names)
    group, used = list(names), least
    for column in rest:
        needed = len(_GAP) + _width(column[1])
        if used + needed > width and len(group) > count:
            yield group
            group, used = list(names), least
        group.append(column)
        used += needed
    yield group


def _naming(names: Columns, width: int) -> int:
    """How many of the columns that name rows are said again: one, where all leave little room."""
    return len(names) if _beside(names) <= width / 2 else 1


def _beside(columns: Columns) -> int:
    return sum(_width(texts) for _, texts in columns) + len(_GAP) * (len(columns) - 1)


def _aligned(columns: Columns) -> list[str]:
    """Lines of a table: words to the left, numbers to the right, a rule below the header."""
    sides = [(is_number, texts, _width(texts)) for is_number, texts in columns]
    rows = zip(*([_padded(t, w, n) for t in texts] for n, texts, w in sides), strict=True)
    header, *others = [_GAP.join(row).rstrip() for row in rows]
    return [header, _GAP.join("-" * wide for _, _, wide in sides), *others]


def _padded(text: str, width: int, is_number: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if is_number else text + space


def _width(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts))


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(_clean(text), max(width, 20), break_long_words=False, break_on_hyphens=False)


def _clean(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours."""
    spaced = text.replace("\n", " ").replace("\t", " ")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in spaced)
