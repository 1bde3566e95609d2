"""Pairs of answers of which people, or a rule, chose one."""

import random
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from demo_text.allowed import evaluated_preferences, open_source
from demo_text.words import words_of
from ostro.data.preferences import Preference, read_preference
from ostro.errors import OstroError
from ostro.runtime.progress import Progress

LONGEST = 240
"""Tokens of both conversations together: short ones, since how many there are is what counts."""
YES_NO = "preference/model_written_yes_no_pairs.jsonl.gz"
FILES: tuple[tuple[str, float], ...] = (
    ("preference/hh_harmless_base_test.jsonl.gz", 0.07),
    ("preference/oasst_en_ranked_pairs.jsonl.gz", 0.07),
    ("preference/pandalm_human_pairs.jsonl.gz", 0.07),
    (YES_NO, 0.79),
)
"""With their shares of these files' tokens. Other files of the folder are for evaluation alone.

Short answers of yes and no have most of it: of the others, 1,500 pairs taught a model of this size
nothing that could be measured.
"""


Question = tuple[str, ...]
"""The words of a conversation's first message."""


def evaluated_questions(data: Path, progress: Progress) -> frozenset[Question]:
    """How the conversations of the evaluation's pairs begin."""
    return frozenset(map(_first_question, _pairs(evaluated_preferences(data, progress))))


def preference_records(
    data: Path, path: str, seed: int, evaluated: Collection[Question], progress: Progress
) -> Iterator[dict[str, Any]]:
    """A file's pairs in one form, in an order that ``seed`` draws.

    Left out are pairs that can't be used, and those that begin as one of the evaluation does
    (``evaluated``): hh-rlhf's conversations share their first questions.
    """
    rows = list(open_source(data, path, progress))
    random.Random(f"{seed}/{path}").shuffle(rows)
    for pair in _pairs(rows):
        if _first_question(pair) in evaluated:
            continue
        chosen, rejected = pair.chosen.content.strip(), pair.rejected.content.strip()
        if chosen and rejected and chosen != rejected:
            yield {
                "messages": [{"role": m.role, "content": m.content} for m in pair.question],
                "chosen": chosen,
                "rejected": rejected,
                "source": path,
            }


def chosen_records(
    data: Path, seed: int, evaluated: Collection[Question], progress: Progress
) -> Iterator[dict[str, Any]]:
    """The preferred answers of yes and no as conversations, in the order of the pairs."""
    for pair in preference_records(data, YES_NO, seed, evaluated, progress):
        answer = {"role": "assistant", "content": pair["chosen"]}
        yield {"messages": [*pair["messages"], answer], "source": YES_NO}


def _pairs(rows: Iterable[dict[str, Any]]) -> Iterator[Preference]:
    for values in rows:
        try:
            yield read_preference(values)
        except OstroError:
            continue


def _first_question(pair: Preference) -> Question:
    return tuple(words_of(next((m.content for m in pair.question if m.role == "user"), "")))
