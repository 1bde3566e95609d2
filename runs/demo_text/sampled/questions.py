"""Questions that people asked, out of files that may be used; their answers are left there."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from demo_text.allowed import open_source
from demo_text.sampled.prompt import Prompt
from ostro.runtime.progress import Progress

Values = Mapping[str, Any]
_MOST_CHARACTERS = 480  # About 120 tokens.
_OTHER_LANGUAGE = re.compile(r"\b(translat\w*|French|German|Italian|Spanish)\b", re.IGNORECASE)


def _first_question(values: Values) -> str:
    first = values["messages"][0]
    return str(first["content"]) if first["role"] == "user" else ""


def _with_input(values: Values) -> str:
    parts = [values["instruction"], values["input"]]
    return "\n\n".join(part for part in parts if part)


def _seed_task(values: Values) -> str:
    given = values["instances"][0]["input"] if values["instances"] else ""
    return "\n\n".join(part for part in (values["instruction"], given) if part)


def _english_prompt(values: Values) -> str:
    return str(values["prompt"]) if values["lang"] == "en" else ""


POOLS: tuple[tuple[str, float, Callable[[Values], str]], ...] = (
    ("sft/oasst_en_100trees.jsonl.gz", 4, _first_question),
    ("sft/self_instruct_seed.jsonl.gz", 4, _seed_task),
    ("sft/self_instruct_user_oriented.jsonl.gz", 5, _seed_task),
    ("sft/gsm8k_train.jsonl.gz", 2, lambda values: str(values["question"])),
    ("sft/mbpp_train.jsonl.gz", 2, lambda values: str(values["text"])),
    ("sft/instruction_induction.jsonl.gz", 1.5, _with_input),
    ("sft/medquad_qa.jsonl.gz", 3, lambda values: str(values["question"])),
    ("sft/tldr_shell_5lang.jsonl.gz", 2, _english_prompt),
)
"""Files, how often they are drawn from, and the question: in English, the parent's language."""


class Questions:
    """Draws questions; none comes twice before all of its file were drawn."""

    def __init__(self, data: Path, seed: int, progress: Progress) -> None:
        self._pools = [_pool(data, path, question, seed, progress) for path, _, question in POOLS]
        self._weights = [weight for _, weight, _ in POOLS]
        self._sizes = [len(pool) for pool in self._pools]

    def __call__(self, part: int, number: int, draw: random.Random) -> Prompt:
        """The question of that number in a part of the work; parts don't share questions."""
        (pool,) = draw.choices(self._pools, self._weights)
        # A stride that is prime spreads the parts over the whole file.
        return pool[(part * 7919 + number * 104_729) % len(pool)]


def _pool(
    data: Path,
    path: str,
    question: Callable[[Values], str],
    seed: int,
    progress: Progress,
) -> list[Prompt]:
    found: Iterator[Prompt] = (
        Prompt(question(values).strip(), path) for values in open_source(data, path, progress)
    )
    unique = {one.text: one for one in found if _can_be_answered(one.text)}
    prompts = sorted(unique.values(), key=lambda one: one.text)
    random.Random(f"{seed}/{path}").shuffle(prompts)
    return prompts


def _can_be_answered(question: str) -> bool:
    return 0 < len(question) <= _MOST_CHARACTERS and not _OTHER_LANGUAGE.search(question)
