"""The plots that measurements share: lines with intervals, heat maps, bars. Each is a ``Plot``.

A plot and the numbers in it are made together, so that its CSV file holds what is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostro.evaluation.report.contents import Plot
from ostro.evaluation.report.drawing import INK, PAPER, SERIES
from ostro.evaluation.statistics import Z95, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Value = Estimate | float | None
"""None where there is no data; an :class:`Estimate` is drawn with its 95 % interval."""

APPROXIMATE = "~"
"""Stands before what was read off a chart."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points that belong together, from left to right."""

    label: str
    x: Sequence[float]
    y: Sequence[Value]
    is_approximate: bool = False
    """Read off a chart: hollow points, a dashed line, a sign in the legend."""
    colour: int | None = None
    """Counted from 0 in the page's series; by default the place among the curves."""


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One bar in each group."""

    label: str
    heights: Sequence[Value]
    is_approximate: bool = False
    colour: int | None = None


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What is written along a side of a plot, and where it begins and ends."""

    label: str
    is_log: bool = False
    low: float | None = None
    high: float | None = None
    ticks: Sequence[float] = ()
    """Where there are labels; by default where matplotlib finds them fit."""


def line_plot(
    *,
    name: str,
    title: str,
    caption: str,
    curves: Sequence[Curve],
    x: Axis,
    y: Axis,
    size: tuple[float, float] = (7.0, 4.0),
) -> Plot:
    """Lines over a common axis, each in a band of its 95 % interval where errors are known."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        draw_curves(axes, curves)
        set_axis(axes, x=x, y=y)
        add_legend(figure)

    rows = [
        (curve.label, at, *_numbers(value))
        for curve in curves
        for at, value in zip(curve.x, curve.y, strict=True)
    ]
    data = _columns(("line", x.label, y.label, "low", "high"), rows)
    return Plot(name=name, title=title, caption=caption, data=data, draw=draw, size=size)


def bar_plot(
    *,
    name: str,
    title: str,
    caption: str,
    groups: Sequence[str],
    bars: Sequence[Bars],
    y: Axis,
    size: tuple[float, float] = (7.0, 4.0),
) -> Plot:
    """Bars beside each other in groups, with a line over each one's 95 % interval."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        draw_bars(axes, groups, bars)
        set_axis(axes, y=y)
        add_legend(figure)

    return Plot(
        name=name, title=title, caption=caption, data=bar_data(groups, bars), draw=draw, size=size
    )


def heat_map(
    *,
    name: str,
    title: str,
    caption: str,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    x_label: str,
    y_label: str,
    low: float | None = None,
    high: float | None = None,
    value_label: str = "value",
    number_format: str = ".2f",
    size: tuple[float, float] = (7.0, 4.0),
) -> Plot:
    """A grid of coloured cells with their numbers; the first row is at the top.

    ``number_format`` is Python's; empty for colours alone.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        mesh = draw_heat_map(axes, values, rows, columns, low, high, number_format)
        axes.set(xlabel=x_label, ylabel=y_label)
        figure.colorbar(mesh, ax=axes, label=value_label)

    cells = [
        (row, column, value)
        for row, line in zip(rows, values, strict=True)
        for column, value in zip(columns, line, strict=True)
    ]
    data = _columns((y_label, x_label, value_label), cells)
    return Plot(name=name, title=title, caption=caption, data=data, draw=draw, size=size)


def draw_curves(axes: "Axes", curves: Sequence[Curve]) -> None:
    """Draw lines; points without data leave a gap."""
    for index, curve in enumerate(curves):
        colour = _colour(curve.colour, index)
        numbers = [_numbers(value) for value in curve.y]
        middle, low, high = (
            [float("nan") if v is None else v for v in column]
            for column in zip(*numbers, strict=True)
        )
        axes.plot(
            curve.x,
            middle,
            label=series_label(curve.label, curve.is_approximate),
            color=colour,
            linestyle="--" if curve.is_approximate else "-",
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4,
            markerfacecolor=PAPER if curve.is_approximate else colour,
        )
        axes.fill_between(curve.x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.vlines(curve.x, low, high, color=colour, alpha=0.6, linewidth=1)


def draw_bars(axes: "Axes", groups: Sequence[str], bars: Sequence[Bars]) -> None:
    """Draw groups of bars. Where there is no data a bar's place stays free."""
    width = 0.84 / len(bars)
    for index, series in enumerate(bars):
        offset = (index - (len(bars) - 1) / 2) * width
        numbers = [_numbers(value) for value in series.heights]
        axes.bar(
            [place + offset for place in range(len(groups))],
            [0.0 if value is None else value for value, _, _ in numbers],
            width * 0.92,
            label=series_label(series.label, series.is_approximate),
            color=_colour(series.colour, index),
        )
        for place, (value, low, high) in enumerate(numbers):
            if value is not None and low is not None and high is not None:
                at = place + offset
                axes.plot([at, at], [low, high], color=INK, linewidth=1)
            if value is not None and series.is_approximate:
                axes.annotate(
                    APPROXIMATE, (place + offset, value), ha="center", va="bottom", fontsize=7
                )
    axes.set_xticks(range(len(groups)), list(groups))
    axes.grid(visible=False, axis="x")


def draw_heat_map(
    axes: "Axes",
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    low: float | None = None,
    high: float | None = None,
    number_format: str = ".2f",
) -> Any:
    """Draw a grid of cells, and give what a colour bar needs. Without data a cell has a dash."""
    import numpy

    grid = numpy.array([[numpy.nan if v is None else v for v in row] for row in values])
    mesh = axes.pcolormesh(grid, cmap="viridis", vmin=low, vmax=high, edgecolor="none")
    for (row, column), value in numpy.ndenumerate(grid):
        is_missing = bool(numpy.isnan(value))
        if is_missing or number_format:
            text = "-" if is_missing else format(value, number_format)
            colour = INK if is_missing else readable_on(tuple(mesh.cmap(mesh.norm(value))))
            middle = (column + 0.5, row + 0.5)
            axes.text(*middle, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks([at + 0.5 for at in range(len(columns))], list(columns))
    axes.set_yticks([at + 0.5 for at in range(len(rows))], list(rows))
    axes.invert_yaxis()
    axes.grid(visible=False)
    return mesh


def readable_on(colour: Sequence[float]) -> str:
    """Black or white: what is told better from ``colour``, its parts from 0 to 1.

    Luminance and its threshold are those of WCAG 2.2; both colours stay as they are in the dark.
    """
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    return "#0a0a0a" if luminance > 0.179 else "#fafafa"


def set_axis(axes: "Axes", *, x: Axis | None = None, y: Axis | None = None) -> None:
    """Label the sides of a plot, and set where they begin and end."""
    for side, axis in (("x", x), ("y", y)):
        if axis is None:
            continue
        settings: dict[str, Any] = {f"{side}label": axis.label}
        if axis.is_log:
            settings[f"{side}scale"] = "log"
        axes.set(**settings)
        axes.set(**{f"{side}lim": (axis.low, axis.high)})
        if axis.ticks:
            axes.set(**{f"{side}ticks": axis.ticks})
            labels = [f"{tick:,g}" if tick >= 1e6 else f"{tick:,.10g}" for tick in axis.ticks]
            axes.set(**{f"{side}ticklabels": labels})
            getattr(axes, f"{side}axis").minorticks_off()


def add_legend(figure: "Figure") -> None:
    """Say what is what where there is more than one thing, or one that needs a sign.

    It stands below all panels: within one it would lie on whatever is drawn there. What several
    panels call alike is told once.
    """
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    signs = {label: handle for one in found for handle, label in zip(*one, strict=True)}
    handles, labels = list(signs.values()), list(signs)
    if len(handles) > 1 or any(label.startswith(APPROXIMATE) for label in labels):
        columns = min(len(labels), 4)
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)


def series_label(label: str, is_approximate: bool) -> str:
    """A label for a legend: matplotlib would leave out one that begins with an underscore."""
    known = label.encode(errors="replace").decode()
    if is_approximate:
        return f"{APPROXIMATE} {known}"
    return f" {known}" if known.startswith("_") else known


def bar_data(groups: Sequence[str], bars: Sequence[Bars]) -> dict[str, list[Any]]:
    """The numbers in bars, as a plot's data."""
    rows = [
        (group, series.label, *_numbers(height))
        for series in bars
        for group, height in zip(groups, series.heights, strict=True)
    ]
    return _columns(("group", "bar", "value", "low", "high"), rows)


def _numbers(value: Value) -> tuple[float | None, float | None, float | None]:
    """A value and the ends of its 95 % interval."""
    if not isinstance(value, Estimate):
        return value, None, None
    spread = None if value.error is None else Z95 * value.error
    if spread is None:
        return value.value, None, None
    return value.value, value.value - spread, value.value + spread


def _colour(given: int | None, index: int) -> str:
    return SERIES[(index if given is None else given) % len(SERIES)]


def _columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    assert len(set(names)) == len(names), f"columns need different names: {names}"
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}
