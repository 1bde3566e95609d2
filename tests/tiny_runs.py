"""Tiny training runs: data, tokenizer and recipes for them, all made in a moment."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ostro.config.recipe import Recipe, Task, parse_recipe
from ostro.data.batch import Sample
from ostro.data.prepare import prepare
from ostro.runtime.progress import SilentProgress
from ostro.training.assembly import assemble
from ostro.training.beginning import Places
from ostro.training.run import Run
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny_chat import VOCAB_SIZE, save_tokenizer

KINDS = {"pretrain": "documents", "sft": "conversations", "dpo": "preferences"}
_WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "under",
    "mat",
    "tree",
    "and",
    "then",
    "it",
    "was",
    "red",
    "blue",
]


def save_data(folder: Path, task: Task, *, records: int = 40, validation: float = 0.2) -> Places:
    """Write ``folder/tokenizer`` and ``folder/data`` for a task."""
    tokenizer = folder / "tokenizer"
    if not tokenizer.exists():
        tokenizer.mkdir(parents=True)
        save_tokenizer(tokenizer)
    source = folder / f"{task}.jsonl"
    save_records(source, task, records)
    prepare(
        [source],
        folder / "data",
        kind=KINDS[task],
        tokenizer=TokenizerFiles.beside(tokenizer).tokenizer(None),
        validation=validation,
        progress=SilentProgress(),
    )
    return Places(None, tokenizer)


def save_records(path: Path, task: Task, records: int) -> None:
    """Write so many records of a task as JSON lines; the same ones at every call."""
    path.write_text("".join(json.dumps(_record(task, n)) + "\n" for n in range(records)))


def _record(task: Task, number: int) -> dict[str, str]:
    rng = random.Random(number)

    def words(least: int, most: int) -> str:
        return " ".join(rng.choices(_WORDS, k=rng.randint(least, most)))

    if task == "pretrain":
        return {"text": words(5, 60)}
    if task == "sft":
        return {"prompt": words(2, 6), "completion": words(1, 12)}
    return {"prompt": words(2, 6), "chosen": words(3, 8), "rejected": words(1, 5)}


GEOMETRY = {
    "vocab_size": VOCAB_SIZE,
    "dim": 32,
    "num_layers": 2,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 16,
    "ffn_dim": 48,
    "context_length": 256,
    "num_experts": 4,
    "top_k": 2,
    "rope_theta": 1e4,
    "tied_embeddings": True,
}


def tiny_recipe(
    folder: Path, task: Task = "pretrain", changes: Sequence[str] = (), base: Path | None = None
) -> Recipe:
    """A recipe over what :func:`save_data` wrote; ``changes`` are as after ``--set``.

    The weights are new, or those of ``base``.
    """
    new = {"geometry": dict(GEOMETRY), "tokenizer": str(folder / "tokenizer")}
    values: dict[str, Any] = {
        "model": {"path": str(base)} if base else new,
        "data": {"folder": str(folder / "data"), "length": 96, "batch": 4, "micro_batch": 2},
        "optimizer": {"lr": 3e-3},
        "schedule": {"steps": 8, "warmup": 0.25},
        "router": {"balance": 0.01, "z": 0.001},
        "precision": {"dtype": "float32"},
        "log": {"every": 1},
        "checkpoint": {"every": 4},
        "seed": 1,
    }
    return parse_recipe(values, task, "tiny", changes)


def tiny_run(
    folder: Path,
    out: str = "run",
    task: Task = "pretrain",
    changes: Sequence[str] = (),
    places: Places | None = None,
) -> Run:
    """A run over what :func:`save_data` wrote, in ``folder/out``."""
    places = places or Places(None, folder / "tokenizer")
    recipe = tiny_recipe(folder, task, changes, places.model)
    return assemble(recipe, places, folder / out, SilentProgress())


def die_in_step(run: Run, step: int) -> None:
    """Have the run fail in one of its steps with a MemoryError, as if the process died."""
    take = run._take

    def dying(samples: Sequence[Sample]) -> dict[str, Any]:
        if run.step + 1 == step:
            raise MemoryError
        return take(samples)

    run._take = dying
