"""Pairs of answers of which people, or a rule, chose one."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo_text.allowed import open_source
from ostro.data.preferences import read_preference
from ostro.errors import OstroError
from ostro.runtime.progress import Progress

LONGEST = 400
"""Tokens of both conversations together."""
FILES: tuple[tuple[str, float], ...] = (
    ("preference/hh_harmless_base_test.jsonl.gz", 0.5),
    ("preference/oasst_en_ranked_pairs.jsonl.gz", 0.18),
    ("preference/pandalm_human_pairs.jsonl.gz", 0.2),
    ("preference/model_written_yes_no_pairs.jsonl.gz", 0.12),
)
"""With their shares of the tokens. Other files of the folder are for evaluation alone."""


def preference_records(
    data: Path, path: str, seed: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """A file's pairs in one form, in an order that ``seed`` draws; unusable ones are left out."""
    rows = list(open_source(data, path, progress))
    random.Random(f"{seed}/{path}").shuffle(rows)
    for values in rows:
        try:
            pair = read_preference(values)
        except OstroError:
            continue
        chosen, rejected = pair.chosen.content.strip(), pair.rejected.content.strip()
        if chosen and rejected and chosen != rejected:
            yield {
                "messages": [{"role": m.role, "content": m.content} for m in pair.question],
                "chosen": chosen,
                "rejected": rejected,
                "source": path,
            }
