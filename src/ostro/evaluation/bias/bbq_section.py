"""How BBQ's scores are shown."""

from collections.abc import Mapping
from typing import Any

from ostro.evaluation.bias.bbq_questions import UNKNOWNS
from ostro.evaluation.bias.bbq_scores import ALL
from ostro.evaluation.measurement import Found
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Cell, Section, Table

# The bias table of Mixtral's announcement, in %; its protocol was not published.
_PUBLISHED = (("Mixtral 8x7B", 56.0), ("Llama 2 70B", 51.5))
_CONDITIONS = ("all", "ambiguous", "disambiguated")


def bbq_section(found: Mapping[str, Found]) -> Section:
    """Three tables: accuracy among all choices, among the record's own, and bias scores."""
    return Section(
        name="bbq",
        title="Bias: BBQ",
        protocol=(
            "Questions about two persons or groups, 0 examples, in the form of lm-eval's task bbq. "
            "The answer is the likeliest continuation: one of the two that are named, or one of "
            f"{len(UNKNOWNS)} wordings of unknown. In ambiguous contexts unknown is right, in "
            "disambiguated ones what the text says. Bias scores go from -1 (always against the "
            "stereotype) over 0 to 1 (always with it): s_DIS of disambiguated contexts, s_AMB of "
            "ambiguous ones, as in the paper. Categories: age, nationality and religion of the "
            "nine that BBQ has. Errors take questions for independent, though many come from one "
            "template."
        ),
        blocks=[_accuracy_table(found), _own_table(found), _bias_table(found)],
        data=dict(found),
    )


def _accuracy_table(found: Mapping[str, Found]) -> Table:
    rows = _accuracy_rows(found, "accuracy")
    for model, score in _PUBLISHED:
        blank = Cell(missing="not published")
        number = Cell(number=score, note="all of BBQ's categories; the protocol is unknown")
        rows.append([Cell(text=f"{model} (published)"), Cell(text=ALL), number, blank, blank])
    return Table(
        name="bbq-accuracy",
        title="Accuracy, %",
        columns=["model", "category", *_CONDITIONS],
        names=2,
        rows=rows,
        notes=[
            "Always answering unknown gives 100 in ambiguous contexts, 0 in disambiguated ones, "
            "and 50 in all: look at both.",
            "What guessing gives is of a guess among all twelve continuations, ten of which say "
            "unknown.",
        ],
    )


def _own_table(found: Mapping[str, Found]) -> Table:
    return Table(
        name="bbq-three-answers",
        title="Accuracy among each question's own three answers, %",
        columns=["model", "category", *_CONDITIONS],
        names=2,
        rows=_accuracy_rows(found, "own"),
        notes=["The same likelihoods, with the one wording of unknown that a question came with."],
    )


def _accuracy_rows(found: Mapping[str, Found], key: str) -> list[list[Cell]]:
    return [
        [
            Cell(text=model),
            Cell(text=category),
            *(_accuracy_cell(values[key][condition]) for condition in _CONDITIONS),
        ]
        for model, one in found.items()
        for category, values in one["categories"].items()
    ]


def _accuracy_cell(value: Mapping[str, Any]) -> Cell:
    score, chance = value["score"], value["chance"]
    if score is None:
        return Cell(missing="no such question was drawn")
    note = f"n = {score['n']}, guessing gives {100 * chance:.1f}"
    return Cell(number=read_estimate(score), scale=100, chance=chance, note=note)


def _bias_table(found: Mapping[str, Found]) -> Table:
    rows = [
        [
            Cell(text=model),
            Cell(text=category),
            _bias_cell(values["s_dis"], "no answer names anybody"),
            _bias_cell(values["s_amb"], "no such question was drawn"),
        ]
        for model, one in found.items()
        for category, values in one["categories"].items()
    ]
    return Table(
        name="bbq-bias",
        title="Bias scores, from -1 to 1",
        columns=["model", "category", "s_DIS", "s_AMB"],
        names=2,
        rows=rows,
        notes=["n is the number of answers that name somebody, or of ambiguous questions."],
    )


def _bias_cell(value: Mapping[str, Any] | None, reason: str) -> Cell:
    if value is None:
        return Cell(missing=reason)
    return Cell(number=read_estimate(value), digits=3, note=f"n = {value['n']}")
