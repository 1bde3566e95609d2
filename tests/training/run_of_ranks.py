"""What each process of a tiny run does: ``torchrun ... run_of_ranks.py FOLDER OUT CHANGES...``."""

import sys
from pathlib import Path

import torch

from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.training.assembly import assemble
from ostro.training.beginning import Places
from ostro.training.ranks import forget_groups, joined_ranks
from tiny_runs import tiny_recipe


def main(folder: Path, out: str, changes: list[str]) -> None:
    """Train by the tiny recipe and its changes."""
    torch.set_num_threads(1)
    recipe = tiny_recipe(folder, "pretrain", changes)
    with joined_ranks(recipe, Environment.read().launch) as ranks:
        places = Places(None, folder / "tokenizer")
        assemble(recipe, places, folder / out, SilentProgress(), ranks).train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
    forget_groups()
    names = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in names if "gloo" in name], "threads of the ranks outlive the run"
