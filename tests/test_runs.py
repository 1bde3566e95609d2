"""The scripts of ``runs``, at a smaller size."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from demo_text.both_templates import BOTH, write_tokenizer
from demo_text_parent import save_parent_tokenizer
from ostro.training.checkpoints import Checkpoints
from ostro.training.log import read_log
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.own_tokenizer import own_tokenizer
from ostro.weights.quantise import to_dense
from ostro.weights.slots import Slot
from tiny_chat import save_babbler
from tiny_runs import save_records

ROOT = Path(__file__).parent.parent
STAGES = ("parted", "tuned", "long")
ANSWERS = ("answering", "preferred", "settled")


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


_SMALL = (
    "device=cpu data.length=96 data.batch=4 data.micro_batch=2 precision.dtype=float32 "
    "schedule.epochs=0"
)


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A tiny dense model whose template is the demo's parent's."""
    folder = save_babbler(tmp_path / "parent", "mistral", sliding_window=None)
    for file in folder.glob("*token*"):
        file.unlink()
    return save_parent_tokenizer(folder)


@pytest.fixture
def out(parent: Path, tmp_path: Path) -> Path:
    """The demo's folder with its text, which a test of its own writes (tests/demo_text)."""
    for text in (tmp_path / "demo" / name for name in ("text", "answers-text")):
        write_tokenizer(own_tokenizer(parent), BOTH, text / "both-tokenizer")
        for name in ("sampled", "kinds", "people", "passkeys", "chosen"):
            save_records(text / f"{name}.jsonl", "sft", 60)
        for name in ("documents", "replay"):
            save_records(text / f"{name}.jsonl", "pretrain", 60)
        save_records(text / "preferences.jsonl", "dpo", 60)
        (text / "done").touch()
    return tmp_path / "demo"


@pytest.mark.slow
def test_the_demos_road_goes_from_an_adapter_to_the_next(
    ostro: Path, parent: Path, out: Path, tmp_path: Path
) -> None:
    variables = {"OSTRO": str(ostro), "PYTHON": sys.executable, "PARENT": str(parent)}
    variables |= {"CHANGES": f"{_SMALL} schedule.steps=4", "MINUTES": "0"}
    variables |= {"OSTRO_HOME": str(tmp_path / "home")}
    _run("demo.sh", str(tmp_path / "data"), str(out), **variables)
    geometry = replace(open_checkpoint(parent).geometry, num_experts=8, top_k=2)
    stages = [read_adapter(out / f"{name}-adapter", geometry) for name in STAGES]
    for before, after in pairwise(stages):
        one, other = (stage.layers[0].experts[0].gate for stage in (before, after))
        assert not torch.equal(one.b_OR, other.b_OR)
    # Experts part before attention has a say.
    assert [stage.layers[0].query is None for stage in stages] == [True, False, False]
    first, second = (read_adapter(out / f"adapter-{number}", geometry) for number in (1, 2))
    assert first.parameters == stages[1].parameters
    for router_ED, own_ED in zip(first.routers, stages[-1].routers, strict=True):
        assert torch.equal(router_ED, own_ED)
    scales = [one.layers[0].query.scale for one in (first, stages[-1])]
    assert scales[0] == pytest.approx(0.92 * scales[1])
    # The second is on attention alone, between preferences and what followed.
    answering, preferred, settled = (
        read_adapter(out / f"{name}-adapter", geometry).layers[0].query.b_OR for name in ANSWERS
    )
    assert not torch.equal(answering, preferred)
    assert not torch.equal(preferred, settled)
    assert second.layers[0].experts[0].gate is None
    shipped = second.layers[0].query.b_OR.float()
    torch.testing.assert_close(shipped, preferred.lerp(settled, 0.7), rtol=2e-3, atol=1e-5)
    # In the end it has routers of its own, which are the model's.
    demo, base = (open_checkpoint(out / name) for name in ("demo.gguf", "first"))
    assert base.geometry.num_experts == 8
    assert demo.geometry == replace(base.geometry, rope_theta=127_000.0)
    assert len(second.routers) == geometry.num_layers
    for layer, router_ED in enumerate(second.routers):
        assert torch.equal(to_dense(demo.read(Slot("router", layer)), torch.float32), router_ED)
    # The parent is asked, in its own template.
    lines = read_log(out / "tuned" / "log.jsonl")
    assert all("validation_parent" in line for line in lines if "validation_loss" in line)
    assert (out / "report.png").exists()


@pytest.mark.slow
def test_the_demos_road_leaves_when_its_time_is_up(
    ostro: Path, parent: Path, out: Path, tmp_path: Path
) -> None:
    variables = {"OSTRO": str(ostro), "PYTHON": sys.executable, "PARENT": str(parent)}
    variables |= {"CHANGES": f"{_SMALL} schedule.steps=100000", "MINUTES": "1"}
    saved = Checkpoints(out / "parted" / "checkpoints", keep_last=1)
    # On a busy machine the first calls get no further than the text.
    for _ in range(5):
        done = subprocess.run(
            [ROOT / "runs" / "demo.sh", tmp_path / "data", out],
            env={**os.environ, **variables, "OSTRO_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 75, done.stderr[-2000:]
        assert "the same call goes on" in done.stderr
        if saved.steps():
            return
    raise AssertionError("five calls saved no step")
