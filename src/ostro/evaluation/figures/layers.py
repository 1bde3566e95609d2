"""mixtral-of-experts-layers: the diagram of a layer, with any model's number of experts."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ostro.config import PRESETS
from ostro.evaluation.figures.results import ModelResults
from ostro.evaluation.report.contents import Plot
from ostro.evaluation.report.drawing import INK, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "mixtral-of-experts-layers"
_MOST_DRAWN = 16
_STEP = 0.62
"""From one expert to the next."""


def layer_plots(found: Mapping[str, ModelResults]) -> Iterator[Plot]:
    """A diagram for each number of experts and choices, Mixtral's first; models share them."""
    mixtral = PRESETS["mixtral-8x7b"]
    shapes = {(mixtral.num_experts, mixtral.top_k): ["Mixtral 8x7B"]}
    dense = [name for name, one in found.items() if one.geometry and not one.geometry.is_sparse]
    unknown = [name for name, one in found.items() if one.geometry is None]
    for name, one in found.items():
        if one.geometry is not None and one.geometry.is_sparse:
            shape = (one.geometry.num_experts, one.geometry.top_k)
            shapes.setdefault(shape, []).append(name)
    for number, ((experts, top_k), names) in enumerate(shapes.items()):
        said = _caption(experts, top_k)
        if number == 0:
            said += "".join(f" {name} is dense and has no router." for name in dense)
            said += "".join(f" No data of {name}: its geometry." for name in unknown)
        yield _plot(experts, top_k, ", ".join(names), said, number)


def _caption(experts: int, top_k: int) -> str:
    hidden = experts - min(experts, _MOST_DRAWN)
    left_out = f" {hidden} of the dashed ones are left out." if hidden else ""
    return (
        f"For each token the router chooses {top_k} of {experts} experts, drawn solid; their"
        " outputs are multiplied with the router's gating weights, which sum to 1, and added up."
        f"{left_out}"
    )


def _plot(experts: int, top_k: int, names: str, caption: str, number: int) -> Plot:
    drawn = max(top_k, min(experts, _MOST_DRAWN))

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set(xlim=(0, 10), ylim=(-1.1, drawn * _STEP + 0.2))
        _draw_layer(axes, drawn, experts, top_k)

    data: dict[str, list[Any]] = {
        "models": [names],
        "experts": [experts],
        "experts per token": [top_k],
    }
    return Plot(
        name=NAME if number == 0 else f"{NAME}-{experts}-{top_k}",
        title=f"Mixture of experts layer of {names}: {experts} experts, {top_k} per token",
        caption=caption,
        data=data,
        draw=draw,
        size=(7.5, 1.2 + 0.42 * drawn),
    )


def _draw_layer(axes: "Axes", drawn: int, experts: int, top_k: int) -> None:
    """Inputs at the left, outputs at the right, the chosen experts spread over the stack."""
    middle = (drawn - 1) * _STEP / 2
    chosen = {round(at * (drawn - 1) / max(top_k - 1, 1)) for at in range(top_k)}
    if drawn == 8 and top_k == 2:
        chosen = {2, 5}
    _box(axes, 0.1, middle, 1.1, "inputs")
    _box(axes, 1.9, middle, 1.1, "router", SERIES[3])
    _arrow(axes, (1.2, middle), (1.9, middle))
    for place in range(drawn):
        height = (drawn - 1 - place) * _STEP
        number = place + 1 if place < drawn - 1 else experts
        _draw_expert(axes, height, f"expert {number}", middle, place in chosen)
    heights = sorted((drawn - 1 - place) * _STEP for place in chosen)
    gate: dict[str, Any] = {"color": SERIES[1], "linestyle": ":", "linewidth": 1.5}
    axes.plot([2.45, 2.45, 6.6, 6.6], [middle - 0.2, -0.65, -0.65, heights[0] - 0.2], **gate)
    for low, high in pairwise(heights):
        axes.plot([6.6, 6.6], [low + 0.2, high - 0.2], **gate)
    axes.text(4.5, -0.9, "gating weights", color=SERIES[1], ha="center", va="center")
    _circle(axes, 8.0, middle, "+")
    _arrow(axes, (8.2, middle), (8.8, middle))
    _box(axes, 8.8, middle, 1.1, "outputs")


def _draw_expert(axes: "Axes", height: float, label: str, middle: float, chosen: bool) -> None:
    line = {"linestyle": "-"} if chosen else {"linestyle": "--", "alpha": 0.55}
    _box(axes, 3.9, height, 1.6, label, SERIES[0] if chosen else INK, **line)
    if chosen:
        _arrow(axes, (3.0, middle), (3.9, height))
        _arrow(axes, (5.5, height), (6.4, height))
        _circle(axes, 6.6, height, "\N{MULTIPLICATION SIGN}")
        _arrow(axes, (6.8, height), (7.85, middle))


def _box(
    axes: "Axes", left: float, middle: float, width: float, text: str, colour: str = INK, **how: Any
) -> None:
    from matplotlib.patches import Rectangle

    settings = {"fill": False, "edgecolor": colour, "linewidth": 1.3, **how}
    axes.add_patch(Rectangle((left, middle - 0.2), width, 0.4, **settings))
    axes.text(left + width / 2, middle, text, ha="center", va="center", alpha=how.get("alpha"))


def _circle(axes: "Axes", x: float, y: float, sign: str) -> None:
    axes.plot([x], [y], "o", markersize=15, markerfacecolor="none", markeredgecolor=INK)
    axes.text(x, y, sign, ha="center", va="center_baseline", fontsize=11)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "->", "color": INK, "shrinkA": 1, "shrinkB": 1, "linewidth": 1}
    axes.annotate("", end, start, arrowprops=style)
