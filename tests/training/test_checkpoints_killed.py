"""A process that is killed while it saves leaves a folder whose latest checkpoint is whole.

Started as a program, this file starts and kills savers, each a fork of one process that has
imported PyTorch, which takes longer than all the saves.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from ostro.training.checkpoints import Checkpoints, load_tensors, read_state

KILLS = 20
LONGEST_LIFE = 0.15  # Seconds: a few saves.


def tensors_of(step: int) -> dict[str, torch.Tensor]:
    return {f"t{i}": torch.full((50_000,), float(step * 10 + i)) for i in range(4)}


def save_until_killed(folder: Path) -> None:
    checkpoints = Checkpoints(folder, keep_last=2, keep_best=1)
    step = (checkpoints.steps() or [0])[-1]
    while True:
        step += 1
        checkpoints.save(step, tensors_of(step), {"step": step}, metric=1000.0 - step)


def kill_a_saver(folder: Path, after: float) -> None:
    process = os.fork()
    if process == 0:
        save_until_killed(folder)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL


def check_all(folder: Path) -> int:
    """Load every checkpoint of the folder; the latest step."""
    steps = Checkpoints(folder, keep_last=2).steps()
    for step in steps:
        path = folder / f"step-{step:08}"
        loaded = tensors_of(0)
        load_tensors(path, loaded)
        assert all(torch.equal(loaded[name], whole) for name, whole in tensors_of(step).items())
        assert read_state(path) == {"step": step}
    return steps[-1] if steps else 0


def kill_many(folder: Path) -> None:
    lives = random.Random(1)
    before, with_leftovers = 0, 0
    for _ in range(KILLS):
        kill_a_saver(folder, lives.uniform(0.0, LONGEST_LIFE))
        latest = check_all(folder)
        assert latest >= before
        before = latest
        with_leftovers += any(folder.glob(".step-*"))
    print(f"{before} saves, {with_leftovers} killed within one")


def test_a_save_killed_at_any_moment_leaves_the_last_whole_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    saves, _, killed_within = done.stdout.partition(" saves, ")
    assert int(saves) >= KILLS / 2
    assert int(killed_within.split()[0]) >= 1
    latest = Checkpoints(folder, keep_last=2).latest()
    assert latest is not None
    step = int(saves) + 1
    Checkpoints(folder, keep_last=2).save(step, tensors_of(step), {"step": step})
    assert list(folder.glob(".*")) == []
    assert check_all(folder) == step


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_many(Path(sys.argv[1]))
