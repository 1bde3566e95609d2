"""Scores side by side, arranged as in Mixtral's paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.evaluation.benchmarks.benchmark import Benchmark, Group
from ostro.evaluation.measurement import Found
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Cell, Table

_TITLES: dict[Group, str] = {
    "popular": "Benchmarks of the paper's table 2, in %",
    "averages": "Benchmarks that the paper counts into its averages, in %",
    "languages": "Multilingual benchmarks of the paper's table 4, in %",
    "languages-local": "Other multilingual benchmarks, in %",
}
_NOT_PUBLISHED = "not published"


@dataclass(frozen=True)
class Reference:
    """Published figures of a model."""

    name: str
    scores: Mapping[str, float]
    """Shares of 1 by the name of the benchmark."""
    note: str = ""
    """Where they come from, and in what they differ."""


def told_protocol(limit: int | None, seed: int) -> str:
    """How benchmarks are measured, in sentences."""
    amount = (
        "All documents are asked."
        if limit is None
        else f"Of each benchmark {limit} documents are asked, or all if there are fewer, spread "
        f"evenly over its subjects (seed {seed})."
    )
    return (
        "Prompts, examples and scoring are those of lm-eval's tasks, as plain text without a chat "
        f"template. {amount} A score is the mean over the documents with its standard error. Where "
        "something is chosen, each choice's log-likelihood is computed and the best one counts, "
        "for acc_norm per character; a score that guessing would explain is marked. What is "
        "written ends at the task's own stop texts. Published figures are those of Mixtral's paper "
        "and of the guide's page."
    )


def tables(
    benchmarks: Sequence[Benchmark],
    found: Mapping[str, Found],
    reference: Sequence[Reference] = (),
) -> list[Table]:
    """A table for each group of which something was asked."""
    made = []
    for group, title in _TITLES.items():
        columns = [one for one in benchmarks if one.group == group]
        if columns:
            made.append(_table(group, title, columns, found, reference))
    return made


def _table(
    group: Group,
    title: str,
    columns: Sequence[Benchmark],
    found: Mapping[str, Found],
    reference: Sequence[Reference],
) -> Table:
    scores = {model: values["scores"] for model, values in found.items()}
    published = [one for one in reference if any(column.name in one.scores for column in columns)]
    labels = [_label(column, list(scores.values())) for column in columns]
    rows = [_published_row(one, columns, labels) for one in published]
    rows += [_model_row(model, columns, values) for model, values in scores.items()]
    return Table(
        name=f"tasks-{group}",
        title=title,
        columns=("model", *labels),
        rows=rows,
        notes=[*_column_notes(columns, list(scores.values())), *_reference_notes(published)],
    )


def _label(column: Benchmark, scores: Sequence[Mapping[str, Any]]) -> str:
    """What the data calls it, which may be a subset."""
    labels = [one[column.name]["label"] for one in scores if column.name in one]
    return labels[0] if labels else column.label


def _published_row(
    reference: Reference, columns: Sequence[Benchmark], labels: Sequence[str]
) -> list[Cell]:
    cells = [Cell(text=f"{reference.name} (published)")]
    for column, label in zip(columns, labels, strict=True):
        value = reference.scores.get(column.name)
        note = None if label == column.label else f"published for all of {column.label}"
        cells.append(
            Cell(missing=_NOT_PUBLISHED)
            if value is None
            else Cell(number=value, scale=100, note=note)
        )
    return cells


def _model_row(model: str, columns: Sequence[Benchmark], scores: Mapping[str, Any]) -> list[Cell]:
    return [Cell(text=model), *(_cell(scores.get(column.name)) for column in columns)]


def _cell(score: Mapping[str, Any] | None) -> Cell:
    if score is None:
        return Cell(missing="not measured")
    if "missing" in score:
        return Cell(missing=score["missing"])
    estimate, cut = read_estimate(score["score"]), score["cut"]
    note = f"the prompts of {cut} of {estimate.count} were longer than the context: cut in front"
    return Cell(number=estimate, scale=100, chance=score["chance"], note=note if cut else None)


def _column_notes(
    columns: Sequence[Benchmark], scores: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """What each column's numbers are."""
    for column in columns:
        measured = [one[column.name] for one in scores if "score" in one.get(column.name, {})]
        if measured:
            first = measured[0]
            asked = f"{first['score']['n']:,} of {first['of']:,} documents of {first['origin']}"
            parts = [f"{first['shots']}-shot", first["metric"], asked, *first["notes"]]
            yield f"{first['label']}: {'; '.join(parts)}."


def _reference_notes(reference: Sequence[Reference]) -> Iterator[str]:
    for one in reference:
        if one.note:
            yield f"{one.name} (published): {one.note}"
