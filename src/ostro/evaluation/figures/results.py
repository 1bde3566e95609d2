"""What was found of one model, as far as the guide's pictures show it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ostro.config import Geometry
from ostro.config.arithmetic import count_parameters
from ostro.evaluation.published.lookup import OTHER_NAMES
from ostro.evaluation.published.reference import Column
from ostro.evaluation.report.contents import Cell
from ostro.evaluation.statistics import Estimate, together

Score = Estimate | float

_AGGREGATES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"Math": ("MATH", "GSM8K"), "Code": ("HumanEval", "MBPP")}
)


@dataclass(frozen=True)
class PasskeyCell:
    """How often a key was found at one place of texts of one length."""

    length: int
    """Tokens."""
    depth: float
    """Where the key stood, from 0, the beginning, to 1, the end."""
    accuracy: float


@dataclass(frozen=True)
class Sentiment:
    """BOLD's mean sentiment, and the standard deviation over a category's groups."""

    mean: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class ModelResults:
    """Found of one model. What is left out was not measured, and the pictures say so."""

    geometry: Geometry | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    """By the name of the benchmark, as in :func:`~ostro.evaluation.published.references`: shares of
    1, points for MT-Bench and Chatbot Arena. ``"ARC-c (25-shot)"`` goes before ``"ARC-c"`` where a
    picture is of 25 shots."""
    protocols: Mapping[str, str] = field(default_factory=dict)
    """How a score was measured, in words, by the same names."""
    perplexity: Sequence[tuple[int, Score]] = ()
    """By the tokens of context."""
    passkey: Sequence[PasskeyCell] = ()
    sentiments: Mapping[str, Sentiment] = field(default_factory=dict)
    """By BOLD's category: gender, profession, religious_ideology, political_ideology, race."""

    @property
    def active_parameters(self) -> float | None:
        """What a token uses, in thousand millions."""
        return None if self.geometry is None else count_parameters(self.geometry).active / 1e9

    def name_of(self, column: Column) -> str | None:
        """Under which name there is a score for a published column; None where there is none."""
        others = [name for name, known in OTHER_NAMES.items() if known == column.benchmark]
        names = [column.benchmark, *others]
        exact = [] if column.shots is None else [f"{name} ({column.shots}-shot)" for name in names]
        return next((name for name in (*exact, *names) if name in self.scores), None)

    def score(self, column: Column) -> Score | None:
        """A score for a published column; Math and Code are the means of their two benchmarks."""
        name = self.name_of(column)
        if name is not None:
            return self.scores[name]
        parts = [self.scores.get(part) for part in _AGGREGATES.get(column.benchmark, ())]
        return _mean([part for part in parts if part is not None]) if len(parts) == 2 else None

    def cell(self, column: Column, digits: int) -> Cell:
        """A score in a table, with its own protocol and its number of documents."""
        score = self.score(column)
        if score is None:
            return Cell(missing="not measured")
        count = [f"n = {score.count}"] if isinstance(score, Estimate) else []
        protocol = self.protocols.get(self.name_of(column) or "", "its protocol is not told")
        scale = 100.0 if column.is_share else 1.0
        note = ", ".join([protocol, *count])
        return Cell(number=score, scale=scale, digits=digits, note=note)

    def sentiment(self, category: str) -> Sentiment | None:
        """Of one of BOLD's categories, spelt with spaces or underscores."""
        return next(
            (
                found
                for name, found in self.sentiments.items()
                if name.replace("_", " ") == category
            ),
            None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "scores": {name: _plain(score) for name, score in self.scores.items()},
            "protocols": dict(self.protocols),
            "perplexity": [[tokens, _plain(score)] for tokens, score in self.perplexity],
            "passkey": [[cell.length, cell.depth, cell.accuracy] for cell in self.passkey],
            "sentiments": {name: [s.mean, s.deviation] for name, s in self.sentiments.items()},
        }


def value_of(score: Score) -> float:
    """A score without its error."""
    return score.value if isinstance(score, Estimate) else score


def in_percent(score: Score | None) -> Score | None:
    """A share of 1 as it is drawn."""
    if isinstance(score, Estimate):
        error = None if score.error is None else 100 * score.error
        return Estimate(100 * score.value, error, score.count)
    return None if score is None else 100 * score


def missing_sentence(model: str, names: Iterable[str]) -> str:
    """What there is no data of; empty where there is all of it."""
    listed = ", ".join(names)
    return f" No data of {model}: {listed}." if listed else ""


def _mean(parts: Sequence[Score]) -> Score | None:
    """Of two benchmarks that count alike, whatever their sizes are."""
    if len(parts) < 2:
        return None
    estimates = [part for part in parts if isinstance(part, Estimate)]
    if len(estimates) == len(parts):
        return together(estimates, [1.0] * len(parts))
    return sum(value_of(part) for part in parts) / len(parts)


def _plain(score: Score) -> Any:
    return score.to_dict() if isinstance(score, Estimate) else score
