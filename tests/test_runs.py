"""The scripts of ``runs``, at a smaller size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ostro.training.checkpoints import Checkpoints
from ostro.training.log import read_log
from ostro.weights.checkpoint import open_checkpoint
from tiny_chat import save_babbler
from tiny_runs import save_records

ROOT = Path(__file__).parent.parent


@pytest.fixture
def ostro(tmp_path: Path) -> Path:
    """The command, wherever the package is."""
    command = tmp_path / "ostro"
    program = "from ostro.cli.main import main; main()"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT / "src"}" exec "{sys.executable}" -c "{program}" "$@"\n'
    )
    command.chmod(0o755)
    return command


def _run(script: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [ROOT / "runs" / script, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_tiny_goes_from_nothing_to_a_chat(ostro: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    variables = {"OSTRO": str(ostro), "SHORT": "1", "OSTRO_HOME": str(tmp_path / "home")}
    told = _run("tiny.sh", str(out), **variables)
    for name in ("pretrained", "tuned", "preferred"):
        assert (out / f"{name}-model" / "model.safetensors").is_file()
        assert name in told.partition("== summary")[2]
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    # Nothing is done twice.
    again = _run("tiny.sh", str(out), **variables)
    assert again.count("done before") == 7


def test_the_sample_is_small() -> None:
    files = list((ROOT / "runs" / "sample").glob("*.jsonl"))
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) < 2_000_000


@pytest.mark.slow
def test_the_demos_road_goes_on_where_it_was_stopped(ostro: Path, tmp_path: Path) -> None:
    parent = save_babbler(tmp_path / "parent", "mistral", sliding_window=None)
    data = tmp_path / "data"
    for folder, task in (("pretrain", "pretrain"), ("sft", "sft"), ("preference", "dpo")):
        (data / folder).mkdir(parents=True)
        save_records(data / folder / "records.jsonl", task, 60)
        (data / folder / "x_MACHINE_GENERATED.jsonl").write_text("not JSON\n")
    out = tmp_path / "demo"
    changes = (
        "device=cpu data.length=96 data.batch=4 data.micro_batch=2 precision.dtype=float32 "
        "schedule.epochs=0 schedule.steps=4"
    )
    variables = {"OSTRO": str(ostro), "PARENT": str(parent), "CHANGES": changes}
    variables |= {"OSTRO_HOME": str(tmp_path / "home"), "MINUTES": "0"}
    _run("demo.sh", str(data), str(out), **variables)
    manifest = json.loads((out / "documents" / "train" / "dataset.json").read_text())
    assert manifest["broken"] == 0
    geometry = open_checkpoint(out / "preferred-model").geometry
    assert (geometry.num_experts, geometry.top_k) == (8, 2)
    first = read_log(out / "upcycled" / "log.jsonl")
    assert all("distance" in line["router"] for line in first if "router" in line)
    assert (out / "report.png").exists()


@pytest.mark.slow
def test_the_demos_road_leaves_when_its_time_is_up(ostro: Path, tmp_path: Path) -> None:
    parent = save_babbler(tmp_path / "parent", "mistral", sliding_window=None)
    data = tmp_path / "data"
    for folder, task in (("pretrain", "pretrain"), ("sft", "sft"), ("preference", "dpo")):
        (data / folder).mkdir(parents=True)
        save_records(data / folder / "records.jsonl", task, 60)
    changes = (
        "device=cpu data.length=96 data.batch=4 data.micro_batch=2 precision.dtype=float32 "
        "schedule.epochs=0 schedule.steps=100000"
    )
    variables = {"OSTRO": str(ostro), "PARENT": str(parent), "CHANGES": changes, "MINUTES": "1"}
    done = subprocess.run(
        [ROOT / "runs" / "demo.sh", data, tmp_path / "demo"],
        env={**os.environ, **variables, "OSTRO_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 75, done.stderr[-2000:]
    assert "the same call goes on" in done.stderr
    steps = Checkpoints(tmp_path / "demo" / "upcycled" / "checkpoints", keep_last=1).steps()
    assert steps
