"""Reports as pages, as files and as lines: what is in them, and what can never be."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from ostro.errors import OstroError
from ostro.evaluation.report import comma_separated, files
from ostro.evaluation.report.contents import Cell, Markup, Plot, Report, Section, Table
from ostro.evaluation.report.files import write_report
from ostro.evaluation.report.html import report_html
from ostro.evaluation.report.plots import Axis, Curve, line_plot
from ostro.evaluation.report.text import report_lines, section_lines, table_lines
from ostro.evaluation.statistics import Estimate

HOSTILE = "<script>alert('1')</script> & \"$x$\" \x1b[31m\x00"
VOID = {"meta", "br", "img", "link", "input", "hr"}


def scores() -> Table:
    return Table(
        name="scores",
        title=f"Scores of {HOSTILE}",
        columns=["Model", "MMLU", "GSM8K", "Size"],
        notes=["Both in %."],
        rows=[
            [
                Cell(text=HOSTILE),
                Cell(number=Estimate(0.26, 0.02, 100), scale=100, chance=0.25),
                Cell(number=Estimate(0.421, 0.0001, 50), scale=100, note="8-shot"),
                Cell(number=135e6, text="135M"),
            ],
            [
                Cell(text="Mixtral"),
                Cell(number=0.706, scale=100, text="~70.6"),
                Cell(missing="no file gsm8k.jsonl"),
                Cell(number=46.7e9, text="46.7B"),
            ],
        ],
    )


def curve() -> Plot:
    return line_plot(
        name="curve",
        title=f"Curve of {HOSTILE}",
        caption="It falls.",
        curves=[
            Curve(label=f"_{HOSTILE}", x=[1, 10, 100], y=[Estimate(3, 0.1, 9), None, 2.0]),
            Curve(label="paper", x=[1, 100], y=[2.5, 2.4], is_approximate=True),
        ],
        x=Axis(label="tokens", is_log=True),
        y=Axis(label="perplexity"),
        size=(4, 3),
    )


def report() -> Report:
    markup = Markup(title=HOSTILE, html='<p><span class="series-1">a</span></p>', plain="a[1]")
    return Report(
        title=f"Report of {HOSTILE}",
        facts=[("model", HOSTILE)],
        sections=[
            Section(name="one", title="One", protocol="0-shot.", blocks=[scores(), curve()]),
            Section(name="one", title=HOSTILE, protocol="", blocks=["A & b.", curve(), markup]),
        ],
    )


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(report())


class Elements(HTMLParser):
    """Elements with their attributes and texts; closing tags must fit."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.append((self.open[-1][0], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_a_page_is_well_formed_and_its_ids_are_its_own(page) -> None:
    elements = Elements(page)
    assert elements.open == []
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = re.findall(r'(?:url\(#|href="#|aria-labelledby=")([^)"]+)', page)
    assert len(named) > 10
    assert set(named) <= set(ids)


def test_a_page_refers_to_nothing_outside_itself(page) -> None:
    assert re.search(r"https?:|//[a-z]|@import", page) is None
    addresses = re.findall(r'(?:href|src|srcset|action|data)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith(("#", "data:text/csv")) for address in addresses)
    (policy,) = (m["content"] for m in Elements(page).all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert "script-src 'sha256-" in policy


def test_what_comes_from_outside_is_text(page) -> None:
    elements = Elements(page)
    assert len(elements.all("script")) == 1
    said = [text for tag, text in elements.texts if tag == "title"]
    assert said == [f"Report of {HOSTILE[:-6]}\ufffd[31m\ufffd"]
    assert re.search(r"[\x00-\x08\x0b-\x1f]", page) is None
    labels = [text for tag, text in elements.texts if tag == "text"]
    assert any("<script>alert('1')</script> & \"$x$\"" in label for label in labels)


def test_numbers_have_keys_to_sort_by_and_names_have_none(page) -> None:
    cells = [a for a in Elements(page).all("td") if "number" in (a.get("class") or "")]
    keys = [cell.get("data-key") for cell in cells]
    assert keys == ["26.0", "42.1", "135000000.0", "70.6", None, "46700000000.0"]
    missing = [cell for cell in cells if "missing" in (cell["class"] or "")]
    assert len(missing) == 1
    headers = Elements(page).all("th")
    assert {header["scope"] for header in headers} == {"row", "col"}


def test_a_table_tells_errors_chance_and_reasons(page) -> None:
    assert '26.0 <span class="error">± 2.0</span><abbr title="within chance">°</abbr>' in page
    assert "no data<sup>[2]</sup>" in page
    for line in ("± one standard error", "° within what guessing", "[2] no file gsm8k", "[1] 8-sh"):
        assert f"<li>{line}" in page


def test_a_picture_is_told_to_those_who_cannot_see_it(page) -> None:
    pictures = Elements(page).all("svg")
    assert len(pictures) == 2
    for picture in pictures:
        assert picture["role"] == "img"
        assert (picture["aria-label"] or "").endswith("It falls.")


def test_a_page_cares_for_the_dark_and_for_paper(page) -> None:
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    defined = set(re.findall(r"(--[a-z0-9-]+):", style))
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", page)) <= defined


def test_two_pages_of_one_report_are_the_same_bytes(page) -> None:
    assert report_html(report()) == page


def test_a_lone_section_needs_no_contents() -> None:
    short = Report(title="t", facts=[], sections=[Section(name="a", title="A", protocol="",
                                                          blocks=["x"])])  # fmt: skip
    assert "<nav" not in report_html(short)


def test_files_beside_the_page(tmp_path, page) -> None:
    target = tmp_path / "out.html"
    written = write_report(report(), target)
    assert target.read_text(encoding="utf-8") == page
    names = sorted(path.name for path in (tmp_path / "out-files").iterdir())
    assert names == ["curve.csv", "curve.png", "one-curve.csv", "one-curve.png", "scores.csv"]
    assert set(written) == {target, *(tmp_path / "out-files").iterdir()}
    assert (tmp_path / "out-files" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert write_report(report(), target) == written


def test_no_page_is_left_where_a_picture_fails(tmp_path, monkeypatch) -> None:
    def fail(plot, path):
        path.write_bytes(b"half")
        raise OstroError("no")

    monkeypatch.setattr(files, "write_png", fail)
    with pytest.raises(OstroError):
        write_report(report(), tmp_path / "out.html")
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["curve.csv", "scores.csv"]


def test_a_table_comes_back_from_its_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated.table_csv(scores()), newline="")))
    assert [row["Model"] for row in rows] == [HOSTILE, "Mixtral"]
    first, second = rows
    assert float(first["MMLU"]) == 26.0
    assert (float(first["MMLU standard error"]), int(first["MMLU n"])) == (2.0, 100)
    assert first["MMLU remark"] == "within chance, 0.25"
    assert (float(second["MMLU"]), second["MMLU shown as"]) == (70.6, "~70.6")
    assert (float(first["GSM8K standard error"]), first["GSM8K remark"]) == (0.01, "8-shot")
    assert (second["GSM8K"], second["GSM8K remark"]) == ("", "no data; no file gsm8k.jsonl")
    assert float(second["Size"]) == 46.7e9


def test_a_plot_comes_back_from_its_csv() -> None:
    plot = curve()
    rows = list(csv.reader(io.StringIO(comma_separated.plot_csv(plot), newline="")))
    assert rows[0] == list(plot.data)
    columns = list(zip(*rows[1:], strict=True))
    for text, values in zip(columns, plot.data.values(), strict=True):
        assert list(text) == ["" if value is None else str(value) for value in values]
    assert columns[2][1] == ""


def test_columns_of_one_name_stay_apart() -> None:
    table = Table(name="t", title="t", columns=["a", "a"], rows=[[Cell(text="x"), Cell(number=1)]])
    assert comma_separated.table_csv(table) == "a,a-2\r\nx,1.0\r\n"


def test_lines_for_a_terminal_are_aligned() -> None:
    table = Table(
        name="t",
        title="Two",
        columns=["Model", "MMLU"],
        rows=[
            [Cell(text="日本"), Cell(number=Estimate(0.5, 0.01, 9), scale=100, chance=0.25)],
            [Cell(text="longer"), Cell(missing="not there")],
        ],
    )
    assert table_lines(table) == [
        "Two",
        "Model          MMLU",
        "------  -----------",
        "日本    50.0 ± 1.0°",
        "longer  no data [1]",
        "± one standard error",
        "° within what guessing would give, with 95 %",
        "[1] not there",
    ]


def test_no_line_for_a_terminal_has_control_characters() -> None:
    lines = report_lines(report())
    assert all(line.isprintable() for line in lines)
    assert any("26.0 ± 2.0°" in line for line in lines)
    assert "a[1]" in lines


def test_a_table_that_is_too_wide_goes_on_below() -> None:
    cells = [Cell(number=float(number)) for number in range(30)]
    table = Table(
        name="t",
        title="Wide",
        columns=["Model", *(f"column {number}" for number in range(30))],
        rows=[[Cell(text="demo"), *cells]],
    )
    lines = section_lines(Section(name="s", title="S", protocol="", blocks=[table]), width=60)
    assert max(map(len, lines)) <= 60
    assert sum(line.startswith("demo") for line in lines) > 3
    said = " ".join(lines)
    assert all(f"column {number}" in said and f" {number}.0" in said for number in range(30))


@pytest.mark.parametrize(("category", "named"), [("age", True), ("a" * 40, False)])
def test_what_goes_on_below_names_its_rows_again(category: str, named: bool) -> None:
    cells = [Cell(number=float(number)) for number in range(9)]
    columns = ["Model", "Category", *(f"column {number}" for number in range(9))]
    rows = [[Cell(text="demo"), Cell(text=category), *cells]]
    table = Table(name="t", title="t", columns=columns, rows=rows, names=2)
    lines = table_lines(table, width=60)
    again = [line for line in lines if line.startswith("demo")]
    assert len(again) > 1
    # One that would leave no room for numbers is written once.
    assert sum(category in line for line in again) == (len(again) if named else 1)


def test_a_small_error_is_not_shown_as_none() -> None:
    table = Table(name="t", title="t", columns=["a", "b"],
                  rows=[[Cell(text="x"), Cell(number=Estimate(0.5, 1e-4, 9))]])  # fmt: skip
    assert any("0.5 ± <0.1" in line for line in table_lines(table))
