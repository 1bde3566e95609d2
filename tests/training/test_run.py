"""Runs: they learn, they end in defined ways, and they go on as if nothing had happened."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from ostro.errors import OstroError
from ostro.training.checkpoints import Checkpoints, read_state
from ostro.training.log import read_log
from ostro.training.run import Run
from tiny_runs import die_in_step, save_data, tiny_run


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in run.weights.items()}


def _losses(folder: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in read_log(folder / "log.jsonl") if "lr" in line}


def _stop_after(run: Run, step: int) -> None:
    """Have the run end after a step as a signal would end it."""
    take = run._take

    def taken(samples):
        line = take(samples)
        if run.step + 1 == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return line

    run._take = taken


@pytest.mark.parametrize("task", ["pretrain", "sft", "dpo"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(task: str, tmp_path: Path) -> None:
    save_data(tmp_path, task)
    whole = tiny_run(tmp_path, "whole", task)
    whole.train()
    first = tiny_run(tmp_path, "parts", task)
    _stop_after(first, 3)
    ended = first.train()
    assert (ended.reason, ended.signal, ended.step) == ("stopped", signal.SIGTERM, 3)
    second = tiny_run(tmp_path, "parts", task)
    assert second.step == 3
    assert second.train().reason == "done"
    assert _losses(tmp_path / "parts") == _losses(tmp_path / "whole")
    for name, expected in _weights(whole).items():
        assert torch.equal(second.weights[name], expected), name


def test_a_run_in_bfloat16_goes_on_bit_for_bit_too(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    changes = ["precision.dtype=bfloat16", "precision.recompute=true"]
    whole = tiny_run(tmp_path, "whole", changes=changes)
    whole.train()
    first = tiny_run(tmp_path, "parts", changes=changes)
    _stop_after(first, 5)
    first.train()
    second = tiny_run(tmp_path, "parts", changes=changes)
    second.train()
    for name, expected in _weights(whole).items():
        assert expected.dtype == torch.float32
        assert torch.equal(second.weights[name], expected), name


def test_a_run_that_died_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    whole = tiny_run(tmp_path, "whole")
    whole.train()
    first = tiny_run(tmp_path, "parts")
    die_in_step(first, 7)
    with pytest.raises(MemoryError):
        first.train()
    assert len(_losses(tmp_path / "parts")) == 6
    second = tiny_run(tmp_path, "parts")
    assert second.step == 4
    assert second.train().step == 8
    steps = [line["step"] for line in read_log(tmp_path / "parts" / "log.jsonl") if "lr" in line]
    assert steps == list(range(1, 9))
    assert _losses(tmp_path / "parts") == _losses(tmp_path / "whole")


@pytest.mark.parametrize("task", ["pretrain", "sft", "dpo"])
def test_a_model_learns(task: str, tmp_path: Path) -> None:
    save_data(tmp_path, task)
    rate = "optimizer.lr=1e-3" if task == "dpo" else "optimizer.lr=1e-2"
    run = tiny_run(tmp_path, task=task, changes=["schedule.steps=40", rate])
    run.train()
    losses = _losses(tmp_path / "run")
    assert losses[40] < losses[1] * 0.8


def test_dpo_begins_with_the_logarithm_of_two(tmp_path: Path) -> None:
    save_data(tmp_path, "dpo")
    tiny_run(tmp_path, task="dpo", changes=["router.balance=0", "router.z=0"]).train()
    line = read_log(tmp_path / "run" / "log.jsonl")[0]
    assert line["preference"] == line["loss"] == pytest.approx(0.693147, abs=1e-6)
    assert line["margin"] == 0.0


def test_the_log_tells_of_every_layers_router(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    tiny_run(tmp_path).train()
    lines = [line for line in read_log(tmp_path / "run" / "log.jsonl") if "lr" in line]
    for line in lines:
        router = line["router"]
        assert [len(load) for load in router["load"]] == [4, 4]
        assert all(sum(load) == pytest.approx(1, abs=1e-5) for load in router["load"])
        for load, overload in zip(router["load"], router["overload"], strict=True):
            assert overload == pytest.approx(4 * max(load), abs=1e-5)
        assert all(0 < entropy <= 1 for entropy in router["entropy"])
        assert {"lr", "grad_norm", "tokens_per_second", "mfu", "memory", "epoch"} <= line.keys()
    assert lines[-1]["router"]["drift"] > [0, 0]


def test_validation_is_measured_and_the_best_checkpoint_kept(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    changes = ["validation.every=2", "checkpoint.every=2", "checkpoint.keep_best=1"]
    tiny_run(tmp_path, changes=changes).train()
    lines = [line for line in read_log(tmp_path / "run" / "log.jsonl") if "validation_loss" in line]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    best = Checkpoints(tmp_path / "run" / "checkpoints", keep_last=2, keep_best=1).best()
    lowest = min(lines, key=lambda line: line["validation_loss"])
    assert best is not None
    assert read_state(best)["step"] == lowest["step"]


def _poisoned(run: Run, step: int) -> None:
    """Make one step's loss not a number."""
    gradients = run._parts.gradients
    calls = []

    def broken(samples):
        calls.append(1)
        figures, counts = gradients(samples)
        if len(calls) == step:
            figures["loss"] = float("nan")
            for weight in run.weights.values():
                weight.grad.fill_(float("nan"))
        return figures, counts

    object.__setattr__(run._parts, "gradients", broken)


def test_a_loss_that_is_not_a_number_stops_with_its_batch_saved(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    run = tiny_run(tmp_path)
    _poisoned(run, 6)
    with pytest.raises(OstroError, match=r"stopped at step 6: the loss is nan; its batch is in"):
        run.train()
    saved = tmp_path / "run" / "batches" / "step-00000006"
    about = json.loads((saved / "about.json").read_text())
    assert about["step"] == 6
    assert len(about["samples"]) == 4
    # The weights are those of step 5, and the last checkpoint that of step 4.
    assert all(weight.isfinite().all() for weight in run.weights.values())
    latest = Checkpoints(tmp_path / "run" / "checkpoints", keep_last=2).latest()
    assert latest is not None
    assert read_state(latest)["step"] == 4


def test_a_batch_may_be_left_out_instead(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    run = tiny_run(tmp_path, changes=["failure.action=skip"])
    _poisoned(run, 3)
    assert run.train().step == 8
    lines = read_log(tmp_path / "run" / "log.jsonl")
    notes = {line["step"]: line["note"] for line in lines if "note" in line}
    assert notes == {3: "left out: the loss is nan"}
    assert (tmp_path / "run" / "batches" / "step-00000003" / "samples.npz").exists()


def test_too_many_batches_left_out_stop_the_run(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    changes = ["failure.action=skip", "failure.most_skipped=0"]
    run = tiny_run(tmp_path, changes=changes)
    _poisoned(run, 2)
    with pytest.raises(OstroError, match="and 0 batches were left out before"):
        run.train()


def test_another_recipe_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    tiny_run(tmp_path, changes=["schedule.steps=2"]).train()
    with pytest.raises(OstroError, match=r"optimizer.lr was 0.003 and is 0.001"):
        tiny_run(tmp_path, changes=["schedule.steps=2", "optimizer.lr=1e-3"])
    again = tiny_run(tmp_path, changes=["schedule.steps=2", "log.every=5"])
    assert again.step == 2


def test_other_data_under_the_same_name_are_refused(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    tiny_run(tmp_path).train()
    (tmp_path / "data").rename(tmp_path / "old")
    save_data(tmp_path, "pretrain", records=41)
    with pytest.raises(OstroError, match="another data set under the same name"):
        tiny_run(tmp_path)


def test_data_of_another_kind_or_tokenizer_are_refused(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    with pytest.raises(OstroError, match=r"holds documents, and sft learns from conversations"):
        tiny_run(tmp_path, task="sft")
    config = tmp_path / "tokenizer" / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"add_bos_token": False}))
    with pytest.raises(OstroError, match="was prepared with another tokenizer"):
        tiny_run(tmp_path)
