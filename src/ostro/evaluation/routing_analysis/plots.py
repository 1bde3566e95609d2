"""Figures 7, 9 and 10 of the Mixtral paper, of one model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Plot
from ostro.evaluation.report.plots import add_legend
from ostro.evaluation.report.wording import file_name
from ostro.evaluation.routing_analysis.found import ALL, EITHER

if TYPE_CHECKING:  # matplotlib is imported only where something is drawn.
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Found = Mapping[str, Any]
_KINDS = (("first_repeats", "first", "same first choice"), ("shared", "shared", "any shared"))
_WIDTH = 0.8
"""Of a group of bars, where groups are 1 apart."""


def repeats_plot(model: str, found: Found) -> Plot:
    """Repeats at every layer: each domain, all documents with their interval, and chance."""

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(1, 2)
        for axes, (key, chance, title) in zip(panels, _KINDS, strict=True):
            _draw_repeats(axes, found, key, found["chance"][chance])
            axes.set(title=title, xlabel="layer", ylabel="pairs of tokens, %")
        add_legend(figure)

    return Plot(
        name=f"routing-repeats-{file_name(model)}",
        title=f"{model}: consecutive tokens that share an expert, by layer",
        caption=(
            "Per cent of consecutive tokens at each layer. Thick: all documents with their 95 % "
            "interval; thin: each domain; dashed: chance, "
            f"{100 * found['chance']['first']:.1f} % and {100 * found['chance']['shared']:.1f} %."
        ),
        data=_repeats_data(found),
        draw=draw,
        size=(9.0, 4.0),
    )


def _draw_repeats(axes: "Axes", found: Found, key: str, chance: float) -> None:
    for number, (name, values) in enumerate(found["domains"].items()):
        if name != ALL:
            label = "each domain" if number == 0 else None
            _line(axes, values[key], "0.6", label, linewidth=0.8)
    _line(axes, found["domains"][ALL][key], "C0", ALL, linewidth=2.5)
    axes.axhline(100 * chance, color="C1", linestyle="--", label="chance")


def _line(axes: "Axes", values: Sequence[Any], colour: str, label: str | None, **how: Any) -> None:
    """A curve over layers, with a band where all of it has an interval and it is the thick one."""
    estimates = [read_estimate(value) for value in values if value is not None]
    layers = range(len(estimates))
    axes.plot(layers, [100 * e.value for e in estimates], color=colour, label=label, **how)
    intervals = [e.interval for e in estimates]
    if label == ALL and all(intervals):
        low, high = zip(*((100 * i[0], 100 * i[1]) for i in intervals if i), strict=True)
        axes.fill_between(layers, low, high, color=colour, alpha=0.3, linewidth=0)


def _repeats_data(found: Found) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"domain": [], "layer": []}
    for key, chance, _ in _KINDS:
        columns |= {key: [], f"{key} low": [], f"{key} high": [], f"{chance} chance": []}
    for domain, values in found["domains"].items():
        for layer in range(found["num_layers"]):
            columns["domain"].append(domain)
            columns["layer"].append(layer)
            for key, chance, _ in _KINDS:
                value, low, high = _numbers(values[key][layer])
                columns[key].append(value)
                columns[f"{key} low"].append(low)
                columns[f"{key} high"].append(high)
                columns[f"{chance} chance"].append(found["chance"][chance])
    return columns


def shares_plot(model: str, found: Found, choice: str) -> Plot:
    """Share of each expert in a domain's assignments, a panel for each of three layers."""
    words = "first or second choice" if choice == EITHER else f"{choice} choice"
    layers, domains = found["layers"], len(found["domains"])

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(len(layers), 1, sharex=True, squeeze=False)[:, 0]
        for axes, layer in zip(panels, layers, strict=True):
            _draw_shares(axes, found, str(layer), choice)
            axes.set(title=f"layer {layer}", ylabel="share, %")
        panels[-1].set_xticks(range(domains), list(found["domains"]), rotation=60, ha="right")

    return Plot(
        name=f"routing-shares-{file_name(choice)}-{file_name(model)}",
        title=f"{model}: share of assignments by expert and domain, {words}",
        caption=(
            f"For each domain a bar for each expert, from 0 to {found['num_experts'] - 1}, with "
            f"its 95 % interval. Dashed: even use, {100 / found['num_experts']:.3g} %."
        ),
        data=_shares_data(found, choice),
        draw=draw,
        size=(max(7.0, 0.55 * domains), 2.4 * len(layers) + 1.2),
    )


def _draw_shares(axes: "Axes", found: Found, layer: str, choice: str) -> None:
    count = found["num_experts"]
    domains = list(found["domains"].values())
    for expert in range(count):
        estimates = [read_estimate(d["shares"][layer][choice][expert]) for d in domains]
        offset = _WIDTH * ((expert + 0.5) / count - 0.5)
        places = [number + offset for number in range(len(domains))]
        halves = [100 * (e.interval[1] - e.value) if e.interval else 0.0 for e in estimates]
        heights = [100 * e.value for e in estimates]
        axes.bar(places, heights, _WIDTH / count, yerr=halves, error_kw={"linewidth": 0.6})
    axes.axhline(100 / count, color="0.5", linestyle="--", linewidth=1)


def _shares_data(found: Found, choice: str) -> dict[str, list[Any]]:
    names = ("domain", "layer", "expert", "share", "low", "high")
    rows = [
        (domain, layer, expert, *_numbers(value))
        for domain, values in found["domains"].items()
        for layer in found["layers"]
        for expert, value in enumerate(values["shares"][str(layer)][choice])
    ]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _numbers(values: Mapping[str, Any] | None) -> tuple[float | None, float | None, float | None]:
    """An estimate's value and interval; None for what there is not."""
    if values is None:
        return None, None, None
    estimate = read_estimate(values)
    return estimate.value, *(estimate.interval or (None, None))
