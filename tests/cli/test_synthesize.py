"""``ostro synthesize``: a file or one line that says why not."""

import json
import shutil
from types import SimpleNamespace

import pytest

from ostro.config import PRESETS, Geometry
from ostro.weights import synthesize

TINY = Geometry(
    vocab_size=300,
    dim=64,
    num_layers=6,
    num_heads=2,
    num_kv_heads=1,
    head_dim=32,
    ffn_dim=96,
    num_experts=2,
    top_k=1,
    context_length=64,
)


@pytest.fixture(autouse=True)
def _tiny_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesize, "PRESETS", {**PRESETS, "tiny": TINY})


def test_what_was_written_can_be_planned_and_run(run, tmp_path) -> None:
    target = tmp_path / "slice.gguf"
    options = ("--type", "q4_0", "--layers", 3, "--context", 100)
    ran = run("synthesize", "tiny", target, *options, "--json")
    written = json.loads(ran.out)
    assert ran.code == 0
    assert (written["path"], written["layout"]) == (str(target), "gguf")
    plan = json.loads(run("plan", target, "--json").out)
    assert plan["total_parameters"] == written["parameters"]
    assert (plan["stored_type"], plan["context"]) == ("Q4_0", 100)
    assert run("generate", target, "--prompt", "a", "--max-tokens", 2).code == 0


def test_the_table_says_what_was_written(run, tmp_path) -> None:
    ran = run("synthesize", "tiny", tmp_path / "a.gguf", "--type", "F16")
    assert ran.code == 0
    assert ran.out.startswith(f"{tmp_path / 'a.gguf'}: ")
    assert "random parameters" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gpt", "a.gguf", "--type", "F16"), "unknown preset 'gpt'"),
        (("tiny", "a.gguf", "--type", "Q9"), "unknown weight type 'Q9'"),
        (("tiny", "a.gguf", "--type", "TQ1_0"), "cannot synthesise TQ1_0"),
        (("tiny", "a", "--type", "F16"), "must end in .gguf"),
        (("tiny", "a.gguf"), "--type"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, monkeypatch, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("synthesize", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert not list(tmp_path.glob("*a*"))


def test_a_full_disk_is_told_before_anything_is_written(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    ran = run("synthesize", "tiny", tmp_path / "a.gguf", "--type", "F16")
    assert ran.code == 2
    assert "only 1 kB are free" in ran.err
    assert not list(tmp_path.glob("*gguf*"))
