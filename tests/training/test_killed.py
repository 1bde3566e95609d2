"""Runs that are killed at any moment, and go on as if nothing had happened."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ostro.training.checkpoints import Checkpoints, load_tensors
from ostro.training.log import read_log
from tiny_runs import save_data, tiny_run

TESTS = Path(__file__).parent.parent
CHANGES = ["schedule.steps=60", "checkpoint.every=3", "validation.every=20"]


def _start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    program = TESTS / "training" / "run_of_ranks.py"
    path = f"{TESTS.parent / 'src'}:{TESTS}"
    return subprocess.Popen(
        [sys.executable, str(program), str(folder), out, *CHANGES],
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_losses_and_weights_are_those_of_an_uninterrupted_run(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    assert _start(tmp_path, "whole").wait(timeout=120) == 0
    rng, kills = random.Random(4), 0
    log = tmp_path / "killed" / "log.jsonl"
    while True:
        process = _start(tmp_path, "killed")
        seen = len(read_log(log))
        until = time.monotonic() + 60
        while process.poll() is None and kills < 5 and len(read_log(log)) <= seen:
            assert time.monotonic() < until
            time.sleep(0.05)
        if kills == 5 or process.poll() is not None:
            assert process.wait(timeout=120) == 0
            break
        # Some of these fall into a save: one is written every three steps.
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
        kills += process.wait() != 0
    assert kills >= 3
    expected, got = (
        {line["step"]: (line["loss"], line["grad_norm"]) for line in read_log(path) if "lr" in line}
        for path in (tmp_path / "whole" / "log.jsonl", log)
    )
    assert got == expected
    weights = []
    for out in ("whole", "killed"):
        latest = Checkpoints(tmp_path / out / "checkpoints", keep_last=2).latest()
        assert latest is not None
        run = tiny_run(tmp_path, "shapes", changes=CHANGES)
        into = {name: torch.zeros_like(weight) for name, weight in run.weights.items()}
        load_tensors(latest, into, some=True)
        weights.append(into)
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name
