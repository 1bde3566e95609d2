"""What a balance loss balances: a micro-batch, or the steps so far."""

from pathlib import Path

import pytest
import torch

from ostro.config import Geometry
from ostro.config.recipe import Router
from ostro.errors import OstroError
from ostro.model import LayerRouting, RouterRecord
from ostro.training.expert_loads import ExpertLoads
from ostro.training.initial_weights import new_model
from ostro.training.ranks import Ranks
from ostro.training.router_losses import RouterLosses
from tiny_runs import GEOMETRY, die_in_step, save_data, tiny_run

EXPERTS, LAYERS = 4, 2
GEOMETRY_OF_TWO = Geometry(**GEOMETRY)


@pytest.fixture
def record() -> RouterRecord:
    return RouterRecord(new_model(GEOMETRY_OF_TWO, 0))


def _route(record: RouterRecord, pair: tuple[int, int], rows: int = 8) -> torch.Tensor:
    """All rows of all layers choose these two experts; gives the last layer's logits."""
    logits = torch.zeros(rows, EXPERTS)
    logits[:, list(pair)] = 3.0
    logits.requires_grad_()
    experts = torch.tensor([pair] * rows)
    record.start()
    record._layers = {layer: LayerRouting(logits, experts) for layer in range(LAYERS)}
    return logits


def _balance(record: RouterRecord, loads: ExpertLoads | None) -> float:
    figures: dict[str, torch.Tensor] = {}
    RouterLosses(record, Router(balance=1.0), loads).add_to(figures, 1.0)
    return float(figures["balance"])


def test_without_memory_a_micro_batch_is_alone(record: RouterRecord) -> None:
    loads = ExpertLoads(record, GEOMETRY_OF_TWO, Ranks(), memory=0.0)
    for pair in ((0, 1), (2, 3)):
        _route(record, pair)
        assert _balance(record, loads) == _balance(record, None) > 1.5
        loads.observe()
    loads.finish_step()
    assert loads.tensors() == {}


def test_what_one_micro_batch_lacks_another_makes_good(record: RouterRecord) -> None:
    loads = ExpertLoads(record, GEOMETRY_OF_TWO, Ranks(), memory=0.9)
    _route(record, (0, 1))
    assert _balance(record, loads) > 1.5
    loads.observe()
    logits = _route(record, (2, 3))
    assert _balance(record, loads) == pytest.approx(1.0)
    # What is even already has no slope.
    RouterLosses(record, Router(balance=1.0), loads).add_to({}, 1.0).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


def test_older_steps_count_less(record: RouterRecord) -> None:
    loads = ExpertLoads(record, GEOMETRY_OF_TWO, Ranks(), memory=0.5)
    for pair in ((0, 1), (2, 3)):
        _route(record, pair)
        loads.observe()
        loads.finish_step()
    counts = loads.tensors()["loads.counts"]
    assert counts.tolist() == [[4.0, 4.0, 8.0, 8.0]] * LAYERS


def test_nothing_is_remembered_that_was_only_measured(record: RouterRecord) -> None:
    loads = ExpertLoads(record, GEOMETRY_OF_TWO, Ranks(), memory=0.5)
    _route(record, (0, 1))
    first = _balance(record, loads)
    assert _balance(record, loads) == first
    assert not loads.tensors()["loads.counts"].any()


def test_a_run_that_goes_on_remembers(tmp_path: Path) -> None:
    places = save_data(tmp_path, "pretrain")
    changes = ["router.memory=0.9", "router.balance=0.5"]
    whole = tiny_run(tmp_path, "whole", changes=changes, places=places)
    whole.train()
    stopped = tiny_run(tmp_path, "stopped", changes=changes, places=places)
    die_in_step(stopped, 6)
    with pytest.raises(MemoryError):
        stopped.train()
    resumed = tiny_run(tmp_path, "stopped", changes=changes, places=places)
    assert resumed.step == 4
    resumed.train()
    for name, weight in whole.weights.items():
        assert torch.equal(resumed.weights[name], weight), name
    forgetful = tiny_run(tmp_path, "other", changes=changes[1:], places=places)
    forgetful.train()
    assert any(not torch.equal(forgetful.weights[n], weight) for n, weight in whole.weights.items())


@pytest.mark.parametrize("memory", ["1.0", "-0.1"])
def test_a_memory_without_end_is_refused(memory: str, tmp_path: Path) -> None:
    places = save_data(tmp_path, "pretrain")
    with pytest.raises(OstroError, match=r"\[router\] memory must be at least 0 and below 1"):
        tiny_run(tmp_path, changes=[f"router.memory={memory}"], places=places)
