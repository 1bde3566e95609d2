"""How MT-Bench's ratings are summed up and shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ostro.evaluation.judge.questions import Question
from ostro.evaluation.measurement import Found
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Cell, Section, Table
from ostro.evaluation.statistics import mean_of

# Table 3 of "Mixtral of Experts" (2024); Mixtral's is that of the Instruct model.
_PUBLISHED = (("Mixtral 8x7B Instruct", 8.30), ("GPT-3.5", 8.32), ("Llama 2 70B Chat", 6.86))
_ALL = "all"


def mt_bench_found(
    questions: Sequence[Question], ratings: Sequence[float | None], judge: str
) -> Found:
    """Means by category; ``ratings`` go question by question, two turns each."""
    pairs = list(zip(ratings[::2], ratings[1::2], strict=True))
    categories = dict.fromkeys(question.category for question in questions)
    rows = {
        category: _means(
            [p for q, p in zip(questions, pairs, strict=True) if q.category == category]
        )
        for category in categories
    }
    return {"judge": judge, "categories": rows | {_ALL: _means(pairs)}}


def _means(pairs: Iterable[tuple[float | None, float | None]]) -> dict[str, Any]:
    pairs = list(pairs)
    first, second = ([r for r in turn if r is not None] for turn in zip(*pairs, strict=True))
    # A question's two ratings hang together: the error is that of questions.
    known = [[r for r in pair if r is not None] for pair in pairs]
    both = [sum(ratings) / len(ratings) for ratings in known if ratings]
    return {
        "both": mean_of(both).to_dict() if both else None,
        "turns": [mean_of(turn).to_dict() if turn else None for turn in (first, second)],
        "missing": 2 * len(pairs) - len(first) - len(second),
    }


def mt_bench_section(found: Mapping[str, Found], max_tokens: int) -> Section:
    """A table of categories, and one of turns beside what was published."""
    judges = ", ".join(dict.fromkeys(one["judge"] for one in found.values()))
    return Section(
        name="mt-bench",
        title="MT-Bench",
        protocol=(
            "Questions of two turns, answered through the chat template with at most "
            f"{max_tokens} tokens; greedily, but for writing and roleplay (temperature 0.7) and "
            "STEM and humanities (0.1), as in MT-Bench. Each answer is rated from 1 to 10 by a "
            f"judge, {judges}, in ostro's own words, with a reference answer for math, reasoning "
            "and coding. A rating that cannot be read is counted as missing. Errors are those of "
            "questions; they say nothing about the judge's own taste."
        ),
        blocks=[_categories(found), _overall(found)],
        data=dict(found),
    )


def _categories(found: Mapping[str, Found]) -> Table:
    names = dict.fromkeys(name for one in found.values() for name in one["categories"])
    ordered = [*(name for name in names if name != _ALL), _ALL]
    rows = [
        [
            Cell(text=name),
            *(
                _cell(one["categories"].get(name, {}).get("both"), one["judge"])
                for one in found.values()
            ),
        ]
        for name in ordered
    ]
    return Table(
        name="mt-bench-categories",
        title="Mean rating by category, 1 to 10",
        columns=["category", *found],
        rows=rows,
    )


def _overall(found: Mapping[str, Found]) -> Table:
    rows = []
    for model, one in found.items():
        means = one["categories"][_ALL]
        cells = [_cell(value, one["judge"]) for value in (*means["turns"], means["both"])]
        rows.append([Cell(text=model), *cells, Cell(number=means["missing"], digits=0)])
    apart = Cell(missing="not published")
    for model, rating in _PUBLISHED:
        cells = [apart, apart, Cell(number=rating, digits=2), apart]
        rows.append([Cell(text=f"{model} (published)"), *cells])
    return Table(
        name="mt-bench",
        title="Mean rating by turn, 1 to 10",
        columns=["model", "first turn", "second turn", "both", "ratings missing"],
        rows=rows,
        notes=[
            "Published ratings are GPT-4's, by MT-Bench's own prompts: another judge and scale."
        ],
    )


def _cell(value: Mapping[str, Any] | None, judge: str) -> Cell:
    if value is None:
        return Cell(missing=f"no rating by {judge}")
    return Cell(number=read_estimate(value), digits=2, note=f"n = {value['n']}")
