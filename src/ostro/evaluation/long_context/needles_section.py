"""Needles as a section of a report: scores by length, beside those of guessing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Cell, Plot, Section, Table
from ostro.evaluation.report.plots import add_legend
from ostro.evaluation.statistics import Estimate, mean_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PROTOCOL = (
    "In the manner of RULER (2024): sentences that each tell a number of a thing stand at random "
    "places in noise, and the model is asked for the number, or all numbers, of one thing. Names "
    "are two words, and every other name in the text shares one of them with that asked for. The "
    "length is fixed in tokens, with room for the answer; answers are greedy. As many integers of "
    "an answer are looked at as are asked for, and its score is the share that is right. Chance is "
    "the expected score of one who names numbers of the text, and does not know which; numbers "
    "that do not stand there give 0. Sentences are ostro's own, so that scores are not RULER's."
)


def needles_section(name: str, found: Mapping[str, Found]) -> Section:
    """A section from what was found, by the name of the model."""
    lines = [
        _Line(model, one["words"], one["chance"], _scores(one))
        for model, answers in found.items()
        for one in answers["questions"]
    ]
    return Section(
        name=name,
        title="Needles among needles",
        protocol=_PROTOCOL,
        blocks=[*(line.verdict for line in lines), _plot(lines), _table(lines)],
        data=dict(found),
    )


@dataclass(frozen=True)
class _Line:
    """One question to one model."""

    model: str
    question: str
    chance: float
    scores: Mapping[int, Estimate]
    """By length."""

    @property
    def label(self) -> str:
        """For a legend."""
        return f"{self.model}, {self.question}"

    @property
    def verdict(self) -> str:
        """At which lengths it does better than guessing."""
        better = [n for n, one in self.scores.items() if self._is_better(one)]
        if len(better) == len(self.scores):
            said = "better than chance at every length"
        elif better:
            said = f"better than chance at {', '.join(map(str, better))} tokens, and no other"
        else:
            said = "at no length better than chance"
        return f"{self.label}: {said} (chance: {100 * self.chance:.1f} %)."

    def _is_better(self, score: Estimate) -> bool:
        return score.value > self.chance and not score.is_chance(self.chance)


def _scores(one: Found) -> dict[int, Estimate]:
    return {entry["length"]: mean_of(entry["scores"]) for entry in one["lengths"]}


def _table(lines: list[_Line]) -> Table:
    lengths = sorted({length for line in lines for length in line.scores})
    return Table(
        name="needles-scores",
        title="Share of the numbers found in %, by length in tokens",
        columns=["model", "asked for", "chance", *map(str, lengths)],
        names=2,
        rows=[
            [
                Cell(text=line.model),
                Cell(text=line.question),
                Cell(number=line.chance, scale=100),
                *(_cell(line, length) for length in lengths),
            ]
            for line in lines
        ],
        notes=["The error is that of the mean over trials."],
    )


def _cell(line: _Line, length: int) -> Cell:
    if length not in line.scores:
        return Cell(missing="not measured at this length")
    return Cell(number=line.scores[length], scale=100, chance=line.chance)


def _plot(lines: list[_Line]) -> Plot:
    points = [(line, length, score) for line in lines for length, score in line.scores.items()]
    return Plot(
        name="needles",
        title="Needles found by length",
        caption="Share of the numbers found by the prompt's length in tokens; dashed: chance. "
        + " ".join(line.verdict for line in lines),
        data={
            "model": [line.model for line, _, _ in points],
            "question": [line.question for line, _, _ in points],
            "length": [length for _, length, _ in points],
            "score": [score.value for _, _, score in points],
            "error": [score.error for _, _, score in points],
            "chance": [line.chance for line, _, _ in points],
        },
        draw=_Drawing(tuple(lines)),
    )


@dataclass(frozen=True)
class _Drawing:
    """A line a model and question."""

    lines: tuple[_Line, ...]

    def __call__(self, figure: "Figure") -> None:
        axes = figure.subplots()
        lengths = sorted({length for line in self.lines for length in line.scores})
        for line in self.lines:
            errors = [score.error or 0.0 for score in line.scores.values()]
            shares = [score.value for score in line.scores.values()]
            drawn = axes.errorbar(
                list(line.scores), shares, yerr=errors, marker="o", capsize=3, label=line.label
            )
            axes.axhline(line.chance, linestyle="--", linewidth=1, color=drawn[0].get_color())
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_ylim(-0.05, 1.05)
        axes.set_xlabel("length (tokens)")
        axes.set_ylabel("share found")
        add_legend(figure)
