"""``ostro train``: recipes, what is told, going on, exporting, reporting."""

import json
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from ostro.data.batch import join, sequence_sample
from ostro.kernels.dispatch import training_kernels
from ostro.model import RouterRecord
from ostro.runtime.progress import SilentProgress
from ostro.training.checkpoints import Checkpoints, load_tensors
from ostro.training.task import Learner, Root
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model
from tiny_runs import GEOMETRY, save_data, tiny_run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe in a file, for data that lie beside it."""
    save_data(tmp_path, "pretrain")
    geometry = "\n".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else value}"
        for name, value in GEOMETRY.items()
    )
    path = tmp_path / "recipe.toml"
    path.write_text(
        f"""
[model]
tokenizer = "{tmp_path / "tokenizer"}"
[model.geometry]
{geometry}
[data]
folder = "{tmp_path / "data"}"
length = 64
batch = 4
[optimizer]
lr = 1e-3
[schedule]
steps = 4
[precision]
dtype = "float32"
[log]
every = 2
"""
    )
    return path


def test_a_run_tells_its_recipe_its_memory_and_its_end(run, recipe, tmp_path) -> None:
    ran = run("train", "pretrain", recipe, "--out", tmp_path / "run", "--set", "seed=3")
    assert ran.code == 0
    assert "  optimizer.lr = 0.001\n" in ran.err
    assert "  seed = 3\n" in ran.err
    assert "optimizer.beta1" not in ran.err
    assert "memory: weights " in ran.err
    assert "trained parameters" in ran.err
    assert "step 2  loss " in ran.err
    assert ran.out.splitlines()[0].split() == ["step", "4"]
    again = run("train", "pretrain", recipe, "--out", tmp_path / "run", "--set", "seed=3")
    assert again.code == 0
    assert "from step 4 to step 4" in again.err


def test_mistakes_are_one_line(run, recipe, tmp_path) -> None:
    out = ("--out", tmp_path / "run")
    misspelt = run("train", "pretrain", recipe, *out, "--set", "optimizer.lrr=1")
    assert (misspelt.code, misspelt.err.count("\n")) == (2, 1)
    assert "unknown key 'lrr'; did you mean 'lr'?" in misspelt.err
    assert "--set data.folder=FOLDER" in run("train", "sft", recipe, *out, "--set", "data={}").err
    none = run("train", "pretrain", tmp_path / "none.toml", *out)
    assert "cannot read the recipe" in none.err
    huge = run("train", "pretrain", recipe, *out, "--set", "model.geometry.dim=32768000")
    assert "are free; lower data.length" in huge.err
    assert huge.code == 2


def test_an_exported_model_computes_what_was_trained(run, recipe, tmp_path) -> None:
    run("train", "pretrain", recipe, "--out", tmp_path / "run")
    target = tmp_path / "model"
    ran = run("train", "export", tmp_path / "run", "--out", target, "--type", "F32")
    assert ran.code == 0
    exported = load_model(
        open_checkpoint(target),
        training_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=SilentProgress(),
    )
    sample = sequence_sample(
        torch.arange(60).numpy(), torch.ones(60, dtype=torch.bool).numpy(), 59, 0
    )
    trained = tiny_run(tmp_path, "other")  # The same geometry; then the run's own weights.
    latest = Checkpoints(tmp_path / "run" / "checkpoints", keep_last=2).latest()
    assert latest is not None
    load_tensors(latest, {n: w.data for n, w in trained.weights.items()}, some=True)
    learner = Learner(Root(exported), RouterRecord(exported))
    assert torch.equal(
        learner.hidden(join([sample])), trained.learner.hidden(join([sample])).detach()
    )
    assert (target / "tokenizer.json").is_file()


def test_export_names_the_steps_that_there_are(run, recipe, tmp_path) -> None:
    run("train", "pretrain", recipe, "--out", tmp_path / "run", "--set", "checkpoint.every=2")
    export = ("train", "export", tmp_path / "run", "--out", tmp_path / "model")
    assert "has no checkpoint of step 3; there are: 2, 4" in run(*export, "--step", 3).err
    assert "give either --step or --best" in run(*export, "--step", 2, "--best").err
    assert run(*export, "--best").code == 0  # The last step has a validation loss.
    assert "has no checkpoint" in run("train", "export", tmp_path, "--out", tmp_path / "x").err


def test_a_report_has_a_row_for_each_run(run, recipe, tmp_path) -> None:
    for name in ("one", "two"):
        run("train", "pretrain", recipe, "--out", tmp_path / name)
    picture = tmp_path / "report.png"
    ran = run("train", "report", tmp_path / "one", tmp_path / "two", "--plot", picture)
    assert [line.split()[0] for line in ran.out.splitlines()] == ["run", "one", "two"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    report = json.loads(run("train", "report", tmp_path / "one", "--json").out)
    assert report[0]["steps"] == 4
    assert report[0]["last_loss"] < report[0]["first_loss"]
    assert "is no run that has taken a step" in run("train", "report", tmp_path).err


def test_two_runs_in_one_folder_do_not_mix(run, recipe, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"):
        ran = run("train", "pretrain", recipe, "--out", tmp_path / "run")
    assert ran.code == 2
    assert "another process has been training in" in ran.err
