"""Passkeys as a section of a report: the paper's heat map, and the counts in it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostro.evaluation.long_context.passkey_prompt import LARGEST_KEY
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Cell, Plot, Section, Table
from ostro.evaluation.statistics import mean_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHANCE = 1 / LARGEST_KEY
_PANEL_INCHES = 2.8

_PROTOCOL = (
    "The prompt is that of Landmark Attention (2023): a task, noise, a line with a number, noise, "
    "and the beginning of the answer. Its length is fixed in tokens, with room for the answer; the "
    "depth is the share of the noise that stands before the number. Numbers are drawn from 1 to "
    f"{LARGEST_KEY}; the answer is greedy, and right if its first integer is the number. Guessing "
    f"gives {100 * _CHANCE:g} %. Mixtral's paper shows 100 % in every cell up to 32k tokens, and "
    "does not tell how many trials a cell has. Noise that repeats makes this an easy test: "
    "the needles are a harder one."
)


def passkey_section(name: str, found: Mapping[str, Found]) -> Section:
    """A section from what was found, by the name of the model."""
    grids = {model: _Grid(one["cells"]) for model, one in found.items()}
    return Section(
        name=name,
        title="Passkey retrieval",
        protocol=_PROTOCOL,
        blocks=[
            *(f"{model}: {grid.verdict}" for model, grid in grids.items()),
            _plot(grids),
            _table(grids),
        ],
        data=dict(found),
    )


class _Grid:
    """The cells of one model."""

    def __init__(self, cells: Sequence[Mapping[str, Any]]) -> None:
        self.cells = {(cell["length"], cell["depth"]): cell for cell in cells}
        self.lengths = sorted({length for length, _ in self.cells})
        self.depths = sorted({depth for _, depth in self.cells})

    def share(self, length: int, depth: float) -> float:
        """Of the keys of a cell that were found."""
        cell = self.cells[length, depth]
        return float(cell["right"] / cell["keys"])

    def count(self, length: int) -> tuple[int, int]:
        """Keys of a length that were found, and all."""
        row = [self.cells[length, depth] for depth in self.depths]
        return sum(cell["right"] for cell in row), sum(cell["keys"] for cell in row)

    @property
    def verdict(self) -> str:
        """How many keys were found, and up to where all of them."""
        counts = {length: self.count(length) for length in self.lengths}
        right, keys = (sum(numbers) for numbers in zip(*counts.values(), strict=True))
        said = f"{right} of {keys} keys found"
        missed = [length for length, (found, all_keys) in counts.items() if found < all_keys]
        if not missed:
            return f"{said}, at every length up to {self.lengths[-1]} tokens."
        before = [length for length in self.lengths if length < missed[0]]
        if not before:
            return f"{said}; some are missed from the shortest length on, {missed[0]} tokens."
        return f"{said}; all of them up to {before[-1]} tokens, not all at {missed[0]}."


def _plot(grids: Mapping[str, _Grid]) -> Plot:
    points = [
        (model, length, depth, grid.cells[length, depth])
        for model, grid in grids.items()
        for length in grid.lengths
        for depth in grid.depths
    ]
    return Plot(
        name="passkey",
        title="Passkey retrieval by length and depth",
        caption="Share of keys found, from red (none) to green (all), by the prompt's length in "
        "tokens and the key's depth in it. "
        + " ".join(f"{model}: {grid.verdict}" for model, grid in grids.items()),
        data={
            "model": [model for model, _, _, _ in points],
            "length": [length for _, length, _, _ in points],
            "depth": [depth for _, _, depth, _ in points],
            "right": [cell["right"] for _, _, _, cell in points],
            "keys": [cell["keys"] for _, _, _, cell in points],
        },
        draw=_HeatMaps(grids),
        size=(7.0, _PANEL_INCHES * len(grids) + 0.4),
    )


@dataclass(frozen=True)
class _HeatMaps:
    """A panel a model."""

    grids: Mapping[str, _Grid]

    def __call__(self, figure: "Figure") -> None:
        figure.set_layout_engine("constrained")
        panels = figure.subplots(len(self.grids), 1, squeeze=False)[:, 0]
        for axes, (model, grid) in zip(panels, self.grids.items(), strict=True):
            _draw_grid(axes, grid)
            axes.set_title(model)


def _draw_grid(axes: "Axes", grid: _Grid) -> None:
    shares = [[grid.share(length, depth) for length in grid.lengths] for depth in grid.depths]
    image = axes.imshow(shares, cmap="RdYlGn", vmin=0, vmax=1, aspect="auto")
    axes.grid(visible=False)  # Its lines would go through the counts.
    for row, depth in enumerate(grid.depths):
        for column, length in enumerate(grid.lengths):
            cell = grid.cells[length, depth]
            told = f"{cell['right']}/{cell['keys']}"
            # Both ends of the colours are dark.
            ink = "black" if 0.2 < shares[row][column] < 0.8 else "white"
            axes.text(column, row, told, ha="center", va="center", color=ink)
    axes.set_xticks(range(len(grid.lengths)), [str(length) for length in grid.lengths])
    axes.set_yticks(range(len(grid.depths)), [f"{100 * depth:g} %" for depth in grid.depths])
    axes.set_xlabel("length (tokens)")
    axes.set_ylabel("depth of the key")
    axes.figure.colorbar(image, ax=axes, label="share found")


def _table(grids: Mapping[str, _Grid]) -> Table:
    depths = sorted({depth for grid in grids.values() for depth in grid.depths})
    fewest = min(cell["keys"] for grid in grids.values() for cell in grid.cells.values())
    columns = ["model", "length", *(f"{100 * depth:g} %" for depth in depths), "all depths"]
    return Table(
        name="passkey-counts",
        names=2,
        title="Keys found by length in tokens and depth",
        columns=columns,
        rows=[_row(model, grid, n, depths) for model, grid in grids.items() for n in grid.lengths],
        notes=[
            f"Where {fewest} of {fewest} are right, the share that the model would find of many "
            f"lies above {100 * math.pow(0.05, 1 / fewest):.0f} % with a confidence of 95 %.",
        ],
    )


def _row(model: str, grid: _Grid, length: int, depths: Sequence[float]) -> list[Cell]:
    cells = [
        _count(grid.cells[length, depth]["right"], grid.cells[length, depth]["keys"])
        if depth in grid.depths
        else Cell(missing="not measured at this depth")
        for depth in depths
    ]
    return [Cell(text=model), Cell(number=length, digits=0), *cells, _count(*grid.count(length))]


def _count(right: int, keys: int) -> Cell:
    share = mean_of([1.0] * right + [0.0] * (keys - right))
    return Cell(number=share, text=f"{right} of {keys}", chance=_CHANCE)
