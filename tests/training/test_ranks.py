"""Many ranks, started by torchrun on one machine with gloo: they learn what one learns."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ostro.errors import OstroError
from ostro.runtime.environment import Environment, Launch
from ostro.training.checkpoints import Checkpoints, load_tensors
from ostro.training.log import read_log
from ostro.training.ranks import joined_ranks
from tiny_runs import save_data, tiny_recipe, tiny_run

TESTS = Path(__file__).parent.parent
# With one sample a micro-batch, all runs have the same micro-batches.
COMMON = ["data.batch=4", "data.micro_batch=1", "schedule.steps=20", "checkpoint.every=10"]
WAYS = {
    "sharded over two": (2, []),
    "sharded over four": (4, []),
    "experts shared out to two": (2, ["parallel.experts=2"]),
    "experts shared out to four": (4, ["parallel.experts=4"]),
    "both": (4, ["parallel.experts=2"]),
}


def _start(folder: Path, out: str, ranks: int, changes: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    command += [str(ranks), str(TESTS / "training" / "run_of_ranks.py"), str(folder), out]
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    return subprocess.Popen(
        [*command, *COMMON, *changes],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(folder: Path, out: str, ranks: int, changes: list[str]) -> None:
    process = _start(folder, out, ranks, changes)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output[-3000:]


def _lines(folder: Path, out: str) -> list[dict]:
    return [line for line in read_log(folder / out / "log.jsonl") if "lr" in line]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and the run of one process in ``alone``."""
    folder = tmp_path_factory.mktemp("ranks")
    save_data(folder, "pretrain")
    tiny_run(folder, "alone", changes=COMMON).train()
    return folder


def _same_trajectory(folder: Path, out: str, first: int = 0) -> None:
    expected, got = _lines(folder, "alone")[first:], _lines(folder, out)[first:]
    assert [line["step"] for line in got] == [line["step"] for line in expected]
    for mine, theirs in zip(got, expected, strict=True):
        for name in ("loss", "lm", "balance", "z", "grad_norm"):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-5), (mine["step"], name)
        assert mine["epoch"] == theirs["epoch"]
        for name in ("load", "entropy", "dead"):
            got_LE, expected_LE = mine["router"][name], theirs["router"][name]
            torch.testing.assert_close(
                torch.tensor(got_LE).double(),
                torch.tensor(expected_LE).double(),
                rtol=1e-4,
                atol=1e-5,
            )


def _weights(folder: Path, out: str) -> dict[str, torch.Tensor]:
    """The last checkpoint's, as one process reads them."""
    run = tiny_run(folder, "alone", changes=COMMON)
    latest = Checkpoints(folder / out / "checkpoints", keep_last=2).latest()
    assert latest is not None
    weights = {name: torch.zeros_like(w) for name, w in run.weights.items()}
    load_tensors(latest, weights, some=True)
    return weights


@pytest.mark.parametrize(
    "way", [pytest.param(name, marks=() if name == "both" else pytest.mark.slow) for name in WAYS]
)
def test_ranks_learn_what_one_learns(alone: Path, way: str) -> None:
    ranks, changes = WAYS[way]
    out = way.replace(" ", "-")
    _run(alone, out, ranks, changes)
    _same_trajectory(alone, out)
    expected = _weights(alone, "alone")
    for name, weight in _weights(alone, out).items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.slow
def test_a_checkpoint_of_four_ranks_goes_on_with_two_and_with_one(
    alone: Path, tmp_path: Path
) -> None:
    _run(alone, "four", 4, ["parallel.experts=2"])
    for out, ranks, changes in (("two", 2, ["parallel.experts=2"]), ("one", 1, [])):
        # As it was at step 10, when four ranks wrote it.
        (alone / out / "checkpoints").mkdir(parents=True)
        source = alone / "four" / "checkpoints" / "step-00000010"
        subprocess.run(["cp", "-r", source, alone / out / "checkpoints"], check=True)
        _run(alone, out, ranks, changes)
        expected = _lines(alone, "alone")[10:]
        got = _lines(alone, out)
        assert [line["step"] for line in got] == list(range(11, 21))
        for mine, theirs in zip(got, expected, strict=True):
            assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-5)


@pytest.mark.slow
def test_the_end_of_one_rank_is_the_end_of_all_and_the_run_goes_on_later(alone: Path) -> None:
    changes = ["schedule.steps=2000", "checkpoint.every=5"]
    process = _start(alone, "lost", 2, changes)
    checkpoints = Checkpoints(alone / "lost" / "checkpoints", keep_last=2)
    until = time.monotonic() + 60
    while not checkpoints.steps():
        assert time.monotonic() < until, "no checkpoint came"
        time.sleep(0.1)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(children[-1]), signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    reached = checkpoints.steps()[-1]
    run = tiny_run(alone, "lost", changes=[*COMMON, *changes])
    assert run.step == reached


@pytest.mark.slow
def test_sigterm_to_torchrun_saves_and_leaves(alone: Path) -> None:
    changes = ["schedule.steps=2000", "checkpoint.every=1000"]
    process = _start(alone, "terminated", 2, changes)
    log = alone / "terminated" / "log.jsonl"
    until = time.monotonic() + 60
    while len(read_log(log)) < 3:
        assert time.monotonic() < until, "no step was taken"
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    steps = Checkpoints(alone / "terminated" / "checkpoints", keep_last=2).steps()
    assert len(steps) == 1
    assert steps[0] >= 3


def test_ranks_that_do_not_fit_the_recipe_are_refused(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, changes=["parallel.experts=2"])
    with (
        pytest.raises(OstroError, match="needs as many ranks; start with torchrun"),
        joined_ranks(recipe, None),
    ):
        pass
    with (
        pytest.raises(OstroError, match=r"3 ranks can't be groups of \[parallel\] experts = 2"),
        joined_ranks(recipe, Launch(0, 3, 0)),
    ):
        pass


def test_torchruns_variables_are_read() -> None:
    variables = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    assert Environment.read(variables).launch == Launch(3, 8, 1)
    assert Environment.read({"HOME": "/x"}).launch is None
