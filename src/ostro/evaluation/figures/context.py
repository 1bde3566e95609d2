"""mixtral-benchmarks-6: the passkey's map and the perplexity over context, in two plots."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ostro.evaluation.figures.results import ModelResults, PasskeyCell, missing_sentence
from ostro.evaluation.published.long_context import LONG_CONTEXT, passkey_map, perplexity_curve
from ostro.evaluation.report.contents import Plot
from ostro.evaluation.report.plots import Curve, Value, add_legend, draw_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PUBLISHED = "Mixtral 8x7B"
_DEPTHS = tuple(step / 10 for step in range(11))


def passkey_plot(found: Mapping[str, ModelResults]) -> Plot:
    """How often the key was found, by the text's length and by where the key stood in it."""
    published = passkey_map()
    cells = [
        PasskeyCell(length, depth, published.accuracy)
        for length in published.lengths
        for depth in _DEPTHS
    ]
    maps = {f"~ {_PUBLISHED}": cells} | {n: list(one.passkey) for n, one in found.items()}
    shown = {name: cells for name, cells in maps.items() if cells}

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (name, cells) in zip(panels, shown.items(), strict=True):
            mesh = _draw_map(axes, cells)
            axes.set(title=name, xlabel="length, tokens")
        panels[0].set(ylabel="the key's place, tokens")
        figure.colorbar(mesh, ax=list(panels), label="share of keys found")

    missing = (missing_sentence(n, [] if one.passkey else ["passkey"]) for n, one in found.items())
    return Plot(
        name=f"{LONG_CONTEXT.name}-passkey",
        title="Passkey: share of keys found, by length and place",
        caption=(f"{LONG_CONTEXT.text}: 1.0 in every cell. {LONG_CONTEXT.note}{''.join(missing)}"),
        data=_passkey_data(shown),
        draw=draw,
        size=(2.2 + 3.3 * len(shown), 3.8),
    )


def perplexity_plot(found: Mapping[str, ModelResults]) -> Plot:
    """The falling curve; other models stand beside it on their own scale."""
    points = perplexity_curve()
    published = Curve(
        label=_PUBLISHED,
        x=[point.tokens for point in points],
        y=[point.perplexity for point in points],
        is_approximate=True,
    )
    own = [
        Curve(
            label=name,
            x=[tokens for tokens, _ in sorted_points(one)],
            y=[score for _, score in sorted_points(one)],
            colour=number,
        )
        for number, (name, one) in enumerate(found.items(), 1)
        if one.perplexity
    ]

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(1, 2 if own else 1, squeeze=False)[0]
        for axes, curves in zip(panels, [[published], *([own] if own else [])], strict=True):
            draw_curves(axes, curves)
            axes.set(xlabel="context, tokens", ylabel="perplexity")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k")
        add_legend(figure)
        if len(own) == 1:
            panels[1].set(title=own[0].label)

    missing = (
        missing_sentence(name, [] if one.perplexity else ["perplexity over context"])
        for name, one in found.items()
    )
    beside = " Other models read other texts with other tokens: compare shapes, not values."
    return Plot(
        name=f"{LONG_CONTEXT.name}-perplexity",
        title="Perplexity over context",
        caption=(
            f"{LONG_CONTEXT.text} (~). {LONG_CONTEXT.note}{beside if own else ''}{''.join(missing)}"
        ),
        data=_perplexity_data([published, *own]),
        draw=draw,
        size=(8.5 if own else 5.5, 3.8),
    )


def sorted_points(one: ModelResults) -> list[tuple[int, Value]]:
    """A model's perplexities by growing context."""
    return [(tokens, score) for tokens, score in sorted(one.perplexity, key=lambda p: p[0])]


def _draw_map(axes: "Axes", cells: Sequence[PasskeyCell]) -> Any:
    """A column for each length, as high as it is long: a triangle, as in the paper."""
    from matplotlib.collections import PolyCollection

    lengths = sorted({cell.length for cell in cells})
    depths = sorted({cell.depth for cell in cells})
    sides = dict(zip(lengths, pairwise(_edges(lengths)), strict=True))
    rows = dict(zip(depths, pairwise(_edges(depths, 0.0, 1.0)), strict=True))
    corners = []
    for cell in cells:
        (left, right), (low, high) = sides[cell.length], rows[cell.depth]
        bottom, top = low * cell.length, high * cell.length
        corners.append([(left, bottom), (right, bottom), (right, top), (left, top)])
    mesh = PolyCollection(corners, cmap="viridis", edgecolors="face", linewidths=0.3)
    mesh.set_array([cell.accuracy for cell in cells])
    mesh.set_clim(0.0, 1.0)
    axes.add_collection(mesh)
    ends = _edges(lengths)
    axes.set(xlim=(ends[0], ends[-1]), ylim=(0, lengths[-1] * 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value / 1000:g}k")
    axes.grid(visible=False)
    return mesh


def _edges(
    middles: Sequence[float], low: float | None = None, high: float | None = None
) -> list[float]:
    """Where cells meet: halfway between their middles."""
    between = [(a + b) / 2 for a, b in pairwise(middles)]
    if not between:
        half = 0.5 * max(middles[0], 1.0)
        first, last = middles[0] - half, middles[0] + half
    else:
        first, last = 2 * middles[0] - between[0], 2 * middles[-1] - between[-1]
    return [max(first, 0.0) if low is None else low, *between, last if high is None else high]


def _passkey_data(maps: Mapping[str, Sequence[PasskeyCell]]) -> dict[str, list[Any]]:
    rows = [(name, cell) for name, cells in maps.items() for cell in cells]
    return {
        "model": [name for name, _ in rows],
        "length, tokens": [cell.length for _, cell in rows],
        "depth": [cell.depth for _, cell in rows],
        "share found": [cell.accuracy for _, cell in rows],
    }


def _perplexity_data(curves: Sequence[Curve]) -> dict[str, list[Any]]:
    rows = [(curve, x, y) for curve in curves for x, y in zip(curve.x, curve.y, strict=True)]
    return {
        "model": [curve.label for curve, _, _ in rows],
        "tokens": [x for _, x, _ in rows],
        "perplexity": [getattr(y, "value", y) for _, _, y in rows],
        "standard error": [getattr(y, "error", None) for _, _, y in rows],
        "read off a chart": [curve.is_approximate for curve, _, _ in rows],
    }
