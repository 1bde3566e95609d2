"""A report as one HTML file that needs nothing else: no network, no fonts, no other file."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from ostro.evaluation.report.comma_separated import plot_csv, table_csv
from ostro.evaluation.report.contents import Block, Markup, Plot, Report, Section, Table
from ostro.evaluation.report.drawing import svg_of
from ostro.evaluation.report.wording import Words, file_name, unique, worded

_MOST_NUMBERS = 300
"""Rows of a plot's numbers that a page shows; beyond that they are in the CSV alone."""
_BROAD = 13
"""Tables of so many columns and more are printed on paper turned sideways."""


def report_html(report: Report) -> str:
    """The whole page. An OstroError where there are plots and matplotlib is missing.

    A click on a header sorts a table; without JavaScript everything is there to be read. The page
    allows itself one script, known by its hash, and no request to anywhere.
    """
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    names = _ids(report.sections)
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(report.title)}</title>",
        f"<style>{style}</style>",
    ]
    body = [
        "<header>",
        f"<h1>{escape(report.title)}</h1>",
        _facts(report.facts),
        _contents(report.sections, names),
        "</header>",
        "<main>",
        *(_section(*pair) for pair in zip(report.sections, names, strict=True)),
        "</main>",
        f"<script>{script}</script>",
    ]
    before, between = ["<!DOCTYPE html>", '<html lang="en">', "<head>"], ["</head>", "<body>"]
    page = _lines([*before, *head, *between, *body, "</body>", "</html>"]) + "\n"
    # A file's name may hold what is no character of a page.
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\ufffd", page.encode(errors="replace").decode())


def _resource(name: str) -> str:
    return (files("ostro.evaluation.report") / name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'"
    )


def _ids(sections: Sequence[Section]) -> list[str]:
    names: list[str] = []
    for section in sections:
        names.append(unique(file_name(section.name), names))
    return names


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    pairs = [f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts]
    return _lines(['<dl class="facts">', *pairs, "</dl>"])


def _contents(sections: Sequence[Section], names: Sequence[str]) -> str:
    """Links to the sections, where there is more than one."""
    if len(sections) < 2:
        return ""
    links = (
        f'<li><a href="#{name}">{escape(section.title)}</a></li>'
        for section, name in zip(sections, names, strict=True)
    )
    return _lines(['<nav aria-label="Sections"><ul>', *links, "</ul></nav>"])


def _section(section: Section, name: str) -> str:
    blocks = (_block(block, f"{name}--{number}") for number, block in enumerate(section.blocks, 1))
    protocol = f'<p class="protocol">{escape(section.protocol)}</p>' if section.protocol else ""
    return _lines(
        [
            f'<section id="{name}" aria-labelledby="{name}--title">',
            f'<h2 id="{name}--title">{escape(section.title)}</h2>',
            protocol,
            *blocks,
            "</section>",
        ]
    )


def _block(block: Block, name: str) -> str:
    match block:
        case Table():
            return _table(block, name)
        case Plot():
            return _plot(block, name)
        case Markup():
            title = f'<span class="title">{escape(block.title)}</span>'
            return f'<figure class="markup"><figcaption>{title}</figcaption>{block.html}</figure>'
        case _:
            return f"<p>{escape(block)}</p>"


def _table(table: Table, name: str) -> str:
    words = worded(table)
    are_numbers = [
        any(row[index].key is not None for row in words.rows) for index in range(len(table.columns))
    ]
    header = (
        f'<th scope="col"{_class(is_number)}>{escape(column)}</th>'
        for column, is_number in zip(table.columns, are_numbers, strict=True)
    )
    shape = "wide broad" if len(table.columns) >= _BROAD else "wide"
    return _lines(
        [
            f'<div class="{shape}" role="region" aria-labelledby="{name}--title" tabindex="0">',
            '<table class="sortable">',
            f'<caption id="{name}--title"><span class="title">{escape(table.title)}</span>',
            "</caption>",
            f"<thead><tr>{''.join(header)}</tr></thead>",
            "<tbody>",
            *(_row(row, are_numbers) for row in words.rows),
            "</tbody>",
            "</table>",
            "</div>",
            *_foot(words.legend, words.notes),
            _files(table.name, table_csv(table)),
        ]
    )


def _row(row: Sequence[Words], are_numbers: Sequence[bool]) -> str:
    first, *others = zip(row, are_numbers, strict=True)
    return f"<tr>{_cell('th', *first)}{''.join(_cell('td', *other) for other in others)}</tr>"


def _cell(tag: str, words: Words, is_number: bool) -> str:
    scope = ' scope="row"' if tag == "th" else ""
    key = "" if words.key is None else f' data-key="{words.key!r}"'
    error = f' <span class="error">± {escape(words.error)}</span>' if words.error else ""
    mark = f'<abbr title="within chance">{words.mark}</abbr>' if words.mark else ""
    note = f"<sup>[{words.note}]</sup>" if words.note else ""
    attributes = f"{scope}{_class(is_number, words.is_missing)}{key}"
    return f"<{tag}{attributes}>{escape(words.text)}{error}{mark}{note}</{tag}>"


def _class(is_number: bool, is_missing: bool = False) -> str:
    names = ["number"] * is_number + ["missing"] * is_missing
    return f' class="{" ".join(names)}"' if names else ""


def _foot(legend: Sequence[str], notes: Sequence[str]) -> Iterator[str]:
    """What is to be read below a table; a note's number is the one in the cells."""
    if not legend and not notes:
        return
    yield '<div class="foot">'
    lines = [*legend, *(f"[{number}] {note}" for number, note in enumerate(notes, 1))]
    yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
    yield "</div>"


def _plot(plot: Plot, name: str) -> str:
    return _lines(
        [
            f'<figure id="{name}">',
            f'<figcaption><span class="title">{escape(plot.title)}</span>',
            f'<span class="said">{escape(plot.caption)}</span></figcaption>',
            svg_of(plot, name),
            _numbers(plot),
            _files(plot.name, plot_csv(plot)),
            "</figure>",
        ]
    )


def _numbers(plot: Plot) -> str:
    """A plot's numbers as a table that opens on a click, where a person can read so many."""
    rows = list(zip(*plot.data.values(), strict=True))
    if not 0 < len(rows) <= _MOST_NUMBERS:
        return ""
    header = "".join(f'<th scope="col">{escape(name)}</th>' for name in plot.data)
    lines = ("".join(f"<td>{escape(_plain(value))}</td>" for value in row) for row in rows)
    return _lines(
        [
            "<details><summary>The numbers in this plot</summary>",
            f"<table><thead><tr>{header}</tr></thead>",
            "<tbody>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</tbody></table>",
            "</details>",
        ]
    )


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _files(name: str, text: str) -> str:
    """A link that saves numbers out of the page itself."""
    address = f"data:text/csv;charset=utf-8,{quote(text, errors='replace')}"
    label = f"{file_name(name)}.csv"
    return f'<p class="files"><a download="{label}" href="{address}">{label}</a></p>'


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)
