"""Plots: what is drawn is what is in their data, and in the page's own colours."""

import matplotlib
import pytest

from ostro.errors import OstroError
from ostro.evaluation.report import drawing
from ostro.evaluation.report.contents import Plot
from ostro.evaluation.report.drawing import INK, SERIES, svg_of, write_png
from ostro.evaluation.report.plots import (
    Axis,
    Bars,
    Curve,
    bar_plot,
    heat_map,
    line_plot,
    readable_on,
)
from ostro.evaluation.statistics import Estimate


def figure_of(plot: Plot):
    from matplotlib.figure import Figure

    figure = Figure()
    plot.draw(figure)
    return figure


def test_lines_have_a_gap_where_there_is_no_data() -> None:
    plot = line_plot(
        name="p",
        title="t",
        caption="c",
        curves=[Curve(label="a", x=[1, 2, 3], y=[Estimate(5.0, 0.5, 4), None, 3.0])],
        x=Axis(label="tokens", ticks=[1, 2, 3]),
        y=Axis(label="perplexity", low=0),
    )
    (axes,) = figure_of(plot).axes
    drawn = axes.lines[0].get_ydata()
    assert drawn[0] == 5.0
    assert drawn[1] != drawn[1]
    assert axes.get_ylim()[0] == 0
    assert plot.data["perplexity"] == [5.0, None, 3.0]
    assert plot.data["low"][0] == pytest.approx(5 - 1.96 * 0.5, abs=1e-3)
    assert plot.data["high"][1:] == [None, None]


def test_what_was_read_off_a_chart_is_marked() -> None:
    plot = bar_plot(
        name="p",
        title="t",
        caption="c",
        groups=["MMLU", "Code"],
        bars=[
            Bars(label="paper", heights=[70.6, 50.5], is_approximate=True),
            Bars(label="own", heights=[Estimate(26.0, 2.0, 100), None]),
        ],
        y=Axis(label="%"),
    )
    figure = figure_of(plot)
    (axes,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["~ paper", "own"]
    assert [text.get_text() for text in axes.texts] == ["~", "~"]
    assert [bar.get_height() for bar in axes.patches] == [70.6, 50.5, 26.0, 0.0]
    assert plot.data["value"] == [70.6, 50.5, 26.0, None]


def test_a_heat_map_says_its_numbers() -> None:
    plot = heat_map(
        name="p",
        title="t",
        caption="c",
        values=[[1.0, 0.5], [None, 0.0]],
        rows=["0 %", "100 %"],
        columns=["512", "1024"],
        x_label="length",
        y_label="depth",
        low=0,
        high=1,
    )
    axes = figure_of(plot).axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.50", "-", "0.00"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert plot.data["value"] == [1.0, 0.5, None, 0.0]
    assert plot.data["depth"] == ["0 %", "0 %", "100 %", "100 %"]


def test_a_picture_takes_the_colours_of_its_page_and_keeps_texts() -> None:
    def draw(figure):
        axes = figure.add_subplot()
        axes.plot([1, 10], [1, 2], color=SERIES[0])
        axes.plot([1, 10], [2, 1], color="black")
        axes.set(xscale="log", title="cost in $ & <b>, $m$")
        axes.text(1, 1, "ink", color=INK)

    picture = svg_of(Plot(name="p", title="t", caption="c", data={}, draw=draw), "one")
    assert "var(--series-1)" in picture
    assert "var(--ink)" in picture
    assert SERIES[0] not in picture
    assert INK not in picture
    assert ">cost in $ &amp; &lt;b&gt;, $m$</text>" in picture
    assert ">10</text>" in picture
    assert "mathdefault" not in picture
    assert "<style" not in picture


def test_drawing_leaves_matplotlib_as_it_was(tmp_path) -> None:
    before = dict(matplotlib.rcParams)
    plot = Plot(name="p", title="t", caption="c", data={}, draw=lambda f: f.add_subplot())
    svg_of(plot, "x")
    write_png(plot, tmp_path / "p.png")
    assert dict(matplotlib.rcParams) == before


def test_names_in_any_script_can_be_drawn(tmp_path) -> None:
    plot = line_plot(
        name="p",
        title="t",
        caption="c",
        curves=[Curve(label="日本 \udc80\x01", x=[1], y=[1]), Curve(label="_b", x=[1], y=[2])],
        x=Axis(label="x"),
        y=Axis(label="y"),
    )
    write_png(plot, tmp_path / "p.png")
    assert "日本" in svg_of(plot, "x")


def test_a_missing_matplotlib_is_named(monkeypatch) -> None:
    def missing(module, extra):
        raise OstroError(f"{module} of {extra}")

    monkeypatch.setattr(drawing, "require_extra", missing)
    plot = Plot(name="p", title="t", caption="c", data={}, draw=lambda figure: None)
    with pytest.raises(OstroError, match="matplotlib of evaluate"):
        svg_of(plot, "x")


@pytest.mark.parametrize(
    ("colour", "expected"), [((1, 1, 0), "#0a0a0a"), ((0.2, 0, 0.3), "#fafafa")]
)
def test_texts_are_told_from_their_ground(colour, expected) -> None:
    assert readable_on(colour) == expected


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("block", [0, 1])
def test_colours_are_told_from_their_ground(block) -> None:
    """A contrast of 4.5 (WCAG 2.2, AA) on bright pages, as in the dark."""
    import re
    from importlib.resources import files

    style = (files("ostro.evaluation.report") / "page.css").read_text(encoding="utf-8")
    values = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[block]
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", values))
    ground = _luminance(colours["paper"])
    for name in ("ink", "soft", "accent", *(f"series-{number}" for number in range(1, 9))):
        high, low = sorted((ground, _luminance(colours[name])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, name
    if block == 0:
        assert [colours[f"series-{number}"] for number in range(1, 9)] == list(SERIES)
