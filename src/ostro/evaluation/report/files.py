"""A report on disk: one HTML file, and beside it each table and plot as a file of its own."""

from collections.abc import Iterator
from pathlib import Path

from ostro.evaluation.report.comma_separated import plot_csv, table_csv
from ostro.evaluation.report.contents import Plot, Report, Section, Table
from ostro.evaluation.report.drawing import write_png
from ostro.evaluation.report.html import report_html
from ostro.evaluation.report.wording import file_name, unique
from ostro.runtime.files import whole_file


def files_folder(target: Path) -> Path:
    """Where single files go: ``OUT-files`` beside ``OUT.html``."""
    return target.with_name(f"{target.stem}-files")


def write_report(report: Report, target: Path) -> list[Path]:
    """Write ``target``, every plot as PNG and its data as CSV, and every table as CSV.

    Each file is whole or as it was; ``target`` comes last, so where it is new all are. The paths
    are given, ``target`` first. An OstroError says what could not be written, or that matplotlib
    is missing.
    """
    page = report_html(report)
    written: list[Path] = []
    names: list[str] = []
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Table | Plot):
                names.append(_name(block, section, names))
                written += _write(block, files_folder(target) / names[-1])
    with whole_file(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return [target, *written]


def _name(block: Table | Plot, section: Section, taken: list[str]) -> str:
    """The block's own name; with its section's before it where another has that already."""
    name = file_name(block.name)
    return name if name not in taken else unique(file_name(f"{section.name}-{name}"), taken)


def _write(block: Table | Plot, path: Path) -> Iterator[Path]:
    text = table_csv(block) if isinstance(block, Table) else plot_csv(block)
    table = path.with_name(f"{path.name}.csv")
    with whole_file(table) as temporary:
        temporary.write_bytes(text.encode(errors="replace"))
    yield table
    if isinstance(block, Plot):
        picture = path.with_name(f"{path.name}.png")
        with whole_file(picture) as temporary:
            write_png(block, temporary)
        yield picture
