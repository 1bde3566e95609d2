"""The charts of scores: mixtral-benchmarks-1, mixtral-benchmarks-3 and mixtral-8-cost."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostro.evaluation.figures.results import ModelResults, in_percent, missing_sentence
from ostro.evaluation.published.lookup import references
from ostro.evaluation.published.mixtral_8x7b import BAR_COLUMNS, BARS, LINE_COLUMNS, LINES
from ostro.evaluation.published.mixtral_8x22b import COST, COST_COLUMNS
from ostro.evaluation.published.reference import (
    ACTIVE_PARAMETERS,
    APPROXIMATE_LEGEND,
    Column,
    Source,
)
from ostro.evaluation.report.contents import Plot
from ostro.evaluation.report.plots import Bars, Curve, Value, bar_data, draw_bars, draw_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_READ_OFF = f"{APPROXIMATE_LEGEND}."
_MISTRAL = ("Mistral 7B", "Mixtral 8x7B")
_LLAMA = ("Llama 2 7B", "Llama 2 13B", "Llama 2 70B")


def bars_plot(found: Mapping[str, ModelResults]) -> Plot:
    """Eight groups of bars in two panels."""
    published = [
        Bars(
            label=model,
            heights=[_published(BARS, column, model) for column in BAR_COLUMNS],
            is_approximate=True,
        )
        for model in ("Mistral 7B", "Mixtral 8x7B", "Llama 2 7B", "Llama 2 13B", "Llama 1 33B",
                      "Llama 2 70B")
    ]  # fmt: skip
    own = [
        Bars(label=name, heights=[in_percent(one.score(column)) for column in BAR_COLUMNS])
        for name, one in found.items()
    ]
    groups = [column.benchmark for column in BAR_COLUMNS]

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(2, 1)
        for axes, part in zip(panels, (slice(0, 4), slice(4, 8)), strict=True):
            bars = [_part(one, part) for one in (*published, *own)]
            draw_bars(axes, groups[part], bars)
            axes.set(ylabel="%", ylim=(0, 80))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)

    return Plot(
        name=BARS.name,
        title="Mixtral and Llama over groups of benchmarks, in %",
        caption=_caption(BARS, found, BAR_COLUMNS),
        data=bar_data(groups, [*published, *own]),
        draw=draw,
        size=(8.0, 6.0),
    )


def lines_plot(found: Mapping[str, ModelResults]) -> Plot:
    """Scores against the parameters that a token uses, in six panels."""
    panels = [_curves(column, found) for column in LINE_COLUMNS]

    def draw(figure: "Figure") -> None:
        grid = figure.subplots(2, 3, sharex=True)
        for axes, column, curves in zip(grid.flat, LINE_COLUMNS, panels, strict=True):
            draw_curves(axes, curves)
            _label_sizes(axes, found)
            axes.set(title=f"{column.benchmark}, %")
        for axes in grid[1]:
            axes.set(xlabel="active parameters")
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)

    data = _curve_data(panels)
    unplaced = [name for name, one in found.items() if one.active_parameters is None]
    return Plot(
        name=LINES.name,
        title="Scores against active parameters, in %",
        caption=_caption(LINES, found, LINE_COLUMNS)
        + "".join(f" No data of {name}: its active parameters." for name in unplaced),
        data=data,
        draw=draw,
        size=(8.5, 5.6),
    )


def cost_plot(found: Mapping[str, ModelResults]) -> Plot:
    """MMLU against the parameters that a token uses, a point for each model."""
    published = references(source=COST)
    points = [(one.model, ACTIVE_PARAMETERS[one.model], one.value * 100, True) for one in published]
    mmlu = {name: in_percent(one.score(COST_COLUMNS[0])) for name, one in found.items()}
    curves = [
        Curve(label=f"{name}", x=[x], y=[y], is_approximate=is_approximate, colour=0)
        for name, x, y, is_approximate in points
    ]
    curves += [
        Curve(label=name, x=[found[name].active_parameters or 0.0], y=[score], colour=1)
        for name, score in mmlu.items()
        if score is not None and found[name].active_parameters is not None
    ]

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        draw_curves(axes, curves)
        for curve in curves:
            _name_point(axes, curve)
        _label_sizes(axes, found)
        axes.margins(x=0.12, y=0.08)
        axes.set(xlabel="active parameters", ylabel="MMLU, %")

    unplaced = [name for name, one in found.items() if one.active_parameters is None]
    return Plot(
        name=COST.name,
        title="MMLU against active parameters",
        caption=_caption(COST, found, COST_COLUMNS)
        + "".join(f" No data of {name}: its active parameters." for name in unplaced)
        + " The page shades what it calls best performance for cost; that is not drawn.",
        data=_curve_data([curves], ("MMLU",)),
        draw=draw,
    )


def _published(source: Source, column: Column, model: str) -> float | None:
    """In %, as drawn."""
    found = references(column.benchmark, model=model, source=source)
    return found[0].value * found[0].scale if found else None


def _curves(column: Column, found: Mapping[str, ModelResults]) -> list[Curve]:
    """One panel: two published families, and a point for each other model."""
    families = (("Mistral", _MISTRAL), ("Llama 2", _LLAMA))
    curves = [
        Curve(
            label=family,
            x=[ACTIVE_PARAMETERS[model] for model in models],
            y=[_published(LINES, column, model) for model in models],
            is_approximate=True,
        )
        for family, models in families
    ]
    for name, one in found.items():
        if one.active_parameters is not None:
            score = in_percent(one.score(column))
            curves.append(Curve(label=name, x=[one.active_parameters], y=[score]))
    return curves


def _caption(source: Source, found: Mapping[str, ModelResults], columns: Sequence[Column]) -> str:
    """Where numbers come from, what is approximate, and what is missing."""
    missing = (
        missing_sentence(name, [c.benchmark for c in columns if one.score(c) is None])
        for name, one in found.items()
    )
    note = f" {source.note}" if source.note else ""
    return f"{source.text}. {_READ_OFF}{note}{''.join(missing)}"


def _part(bars: Bars, part: slice) -> Bars:
    return Bars(
        label=bars.label,
        heights=list(bars.heights)[part],
        is_approximate=bars.is_approximate,
        colour=bars.colour,
    )


def _label_sizes(axes: "Axes", found: Mapping[str, ModelResults]) -> None:
    """A logarithmic axis of parameters, as far down as the smallest model."""
    sizes = [one.active_parameters for one in found.values() if one.active_parameters is not None]
    ticks = [7.0, 13.0, 34.0, 70.0]
    low = min([7.0, *sizes])
    ticks = [tick for tick in (0.01, 0.1, 1.0) if tick >= low * 0.7] + ticks
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}B" for tick in ticks])
    axes.minorticks_off()


def _name_point(axes: "Axes", curve: Curve) -> None:
    value: Any = curve.y[0]
    height = getattr(value, "value", value)
    sign = "~ " if curve.is_approximate else ""
    axes.annotate(
        f"{sign}{curve.label}",
        (curve.x[0], height),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )


def _curve_data(
    panels: Sequence[Sequence[Curve]], names: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """Every point of every panel."""
    names = names or [column.benchmark for column in LINE_COLUMNS]
    rows: list[tuple[str, str, float, Value, bool]] = [
        (panel, curve.label, x, y, curve.is_approximate)
        for panel, curves in zip(names, panels, strict=True)
        for curve in curves
        for x, y in zip(curve.x, curve.y, strict=True)
    ]
    return {
        "benchmark": [row[0] for row in rows],
        "model": [row[1] for row in rows],
        "active parameters, 1e9": [row[2] for row in rows],
        "score, %": [getattr(row[3], "value", row[3]) for row in rows],
        "standard error": [getattr(row[3], "error", None) for row in rows],
        "read off a chart": [row[4] for row in rows],
    }
