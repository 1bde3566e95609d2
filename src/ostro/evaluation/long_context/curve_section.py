"""Perplexity over lengths as a section of a report."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostro.evaluation.long_context.curve import Curve, Range, Step
from ostro.evaluation.measurement import Found
from ostro.evaluation.published.long_context import perplexity_curve
from ostro.evaluation.report.contents import Cell, Plot, Section, Table
from ostro.evaluation.report.plots import add_legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REFERENCE = "Mixtral 8x7B, published"
_NOT_DRAWN = "not read off the chart"


def curve_section(name: str, protocol: str, found: Mapping[str, Found]) -> Section:
    """A section from what was found, by the name of the model."""
    curves = {model: Curve(one) for model, one in found.items()}
    verdicts = [f"{model}: {curve.verdict}" for model, curve in curves.items()]
    omissions = [line for model, one in found.items() for line in _left_out(model, one)]
    return Section(
        name=name,
        title="Perplexity over context",
        protocol=f"{_COMMON} {protocol}",
        blocks=[*verdicts, *_plots(curves), _values(curves), _steps(curves), *omissions],
        data=dict(found),
    )


_COMMON = (
    "Perplexity is exp of the mean negative log-likelihood of a token. Documents count whole: one "
    "that is shorter than the longest length needs is left out and named. Errors are those of the "
    "mean over documents; intervals take it for normally distributed, and of five documents they "
    "should be 1.4 times as wide. Perplexities of models with different tokenizers cannot be "
    "compared; how they change with the length can."
)


def _left_out(model: str, found: Found) -> Iterable[str]:
    if found["left_out"]:
        names = ", ".join(f"{one['id']} ({one['tokens']} tokens)" for one in found["left_out"])
        yield f"{model}: left out, since they have fewer than {found['needed']} tokens: {names}."


def _lengths(curves: Mapping[str, Curve]) -> list[int]:
    return sorted({length for curve in curves.values() for length in curve.lengths})


def _values(curves: Mapping[str, Curve]) -> Table:
    lengths = _lengths(curves)
    rows = [
        [Cell(text=model), *(_value(curve, length) for length in lengths)]
        for model, curve in curves.items()
    ]
    published = {point.tokens: point.perplexity for point in perplexity_curve()}
    reference = [
        Cell(number=published[n], digits=2) if n in published else Cell(missing=_NOT_DRAWN)
        for n in lengths
    ]
    return Table(
        name="perplexity-by-length",
        title="Perplexity by context length in tokens",
        columns=["model", *map(str, lengths)],
        rows=[*rows, [Cell(text=_REFERENCE), *reference]],
        notes=[
            "Published values are read off the paper's chart (about ±0.1). They are of a part of "
            "proof-pile, by a protocol that the paper does not tell; 32768 is the chart's end.",
        ],
    )


def _value(curve: Curve, length: int) -> Cell:
    if length not in curve.lengths:
        return Cell(missing="not measured at this length")
    return Cell(number=curve.perplexity(length), digits=2, note=f"{curve.tokens(length)} tokens")


def _steps(curves: Mapping[str, Curve]) -> Table:
    return Table(
        name="perplexity-steps",
        title="Change of the mean loss from a length to the next, in millinats a token",
        columns=["model", "from", "to", "change", "which is"],
        rows=[
            [
                Cell(text=model),
                Cell(number=step.before, digits=0),
                Cell(number=step.after, digits=0),
                Cell(number=step.change, scale=1000, digits=1),
                Cell(text=_in_words(step)),
            ]
            for model, curve in curves.items()
            for step in curve.steps
        ],
        notes=[
            "The mean over documents of each document's own change, with its standard error: what "
            "tells documents apart is not in it. 10 millinats less are 1 % less perplexity."
        ],
    )


def _in_words(step: Step) -> str:
    if step.change.error is None:
        return "of one document"
    if not step.is_clear:
        return "within the error"
    return "a clear fall" if step.change.value < 0 else "a clear rise"


@dataclass(frozen=True)
class _Picture:
    """One of the two pictures: which range of a curve it shows."""

    curves: Mapping[str, Curve]
    range: Callable[[Curve, int], Range]
    unit: str

    def plot(self, name: str, title: str, caption: str, column: str) -> Plot:
        """The picture with its numbers."""
        points = [(model, c, n) for model, c in self.curves.items() for n in c.lengths]
        ranges = [self.range(curve, length) for _, curve, length in points]
        intervals = [one.interval or (None, None) for one in ranges]
        return Plot(
            name=name,
            title=title,
            caption=" ".join([caption, *map(self._told, self.curves)]),
            data={
                "model": [model for model, _, _ in points],
                "length": [length for _, _, length in points],
                column: [one.value for one in ranges],
                "low": [low for low, _ in intervals],
                "high": [high for _, high in intervals],
            },
            draw=self._draw,
        )

    def _told(self, model: str) -> str:
        curve = self.curves[model]
        values = (f"{self.range(curve, n).value:.2f} at {n}" for n in curve.lengths)
        return f"{model}: {', '.join(values)}."

    def _draw(self, figure: "Figure") -> None:
        axes = figure.subplots()
        for model, curve in self.curves.items():
            ranges = [self.range(curve, length) for length in curve.lengths]
            values = [one.value for one in ranges]
            axes.errorbar(
                curve.lengths, values, yerr=_bars(ranges), marker="o", capsize=3, label=model
            )
        lengths = _lengths(self.curves)
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_xlabel("context length (tokens)")
        axes.set_ylabel(self.unit)
        add_legend(figure)


def _plots(curves: Mapping[str, Curve]) -> list[Plot]:
    return [
        _Picture(curves, Curve.range, "perplexity").plot(
            "perplexity",
            "Perplexity over context",
            "Perplexity by the number of tokens read, with 95 % intervals over documents.",
            "perplexity",
        ),
        _Picture(curves, Curve.relative, "change of perplexity (%)").plot(
            "perplexity-change",
            "Change of perplexity since the shortest length",
            "The mean over documents of each one's own change, in percent, with 95 % intervals: "
            "how the documents differ is not in it.",
            "percent",
        ),
    ]


def _bars(ranges: Sequence[Range]) -> list[list[float]]:
    """How far intervals reach below and above; nothing is drawn where there is none."""
    pairs = [(one.value, one.interval or (math.nan, math.nan)) for one in ranges]
    return [
        [value - low for value, (low, _) in pairs],
        [high - value for value, (_, high) in pairs],
    ]
