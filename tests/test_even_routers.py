"""Routers that use their experts more evenly."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from even_routers import even_routers, evened_router, with_routers
from ostro.data.batch import Sample
from ostro.errors import OstroError
from ostro.model import RouterRecord
from ostro.runtime.progress import SilentProgress
from ostro.training.beginning import read_parent
from ostro.training.task import hidden_rows
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from peft_files import ATTENTION, random_pairs, save_adapter
from tiny import save_tiny

CPU = torch.device("cpu")


def _loads(counts_LE: Tensor) -> Tensor:
    return counts_LE / counts_LE.double().mean(-1, keepdim=True)


def _samples() -> list[Sample]:
    generator = torch.Generator().manual_seed(3)
    found = []
    for number in range(6):
        # Few words, so that a random router has favourites.
        tokens_T = torch.randint(20, (50,), generator=generator)
        learned_T = torch.ones(50, dtype=torch.bool)
        found.append(Sample(tokens_T, torch.arange(50), tokens_T, learned_T, (50,), (number,)))
    return found


def test_a_models_loads_come_within_the_factor(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model", "mixtral", sliding_window=None)
    model = read_parent(folder, torch.float32, CPU, SilentProgress())
    record = RouterRecord(model)

    def loads_LE() -> Tensor:
        counts = []
        for sample in _samples():
            record.start()
            hidden_rows(model, sample)
            counts.append(record.counts())
        return _loads(torch.stack(counts).sum(0))

    before_LE = loads_LE()
    assert before_LE.min() < 0.5
    assert before_LE.max() > 1.6
    routers = even_routers(model, _samples(), 1.5, SilentProgress())
    after_LE = loads_LE()
    assert after_LE[0].min() >= 1 / 1.5
    assert after_LE[0].max() <= 1.5
    # The rows of later layers have changed once more since their routers were made.
    assert after_LE.min() > 0.6
    assert after_LE.max() < 1.6
    for block, router_ED in zip(model.blocks(), routers, strict=True):
        assert torch.equal(block.feed_forward.get_parameter("router_ED"), router_ED)


def test_an_even_router_stays_as_it_is() -> None:
    x_TD = torch.eye(4).repeat(8, 1)
    router_ED = torch.eye(4)
    assert torch.equal(evened_router(x_TD, router_ED, 1, 1.2), router_ED)


def test_what_can_not_be_evened_is_refused() -> None:
    same_TD = torch.ones(10, 4)  # Of equal rows all choose the same expert, whatever is added.
    with pytest.raises(OstroError, match="were not reached"):
        evened_router(same_TD, torch.randn(8, 4), 2, 1.5)


def test_a_dense_model_is_refused(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model", "mistral", sliding_window=None)
    model = read_parent(folder, torch.float32, CPU, SilentProgress())
    with pytest.raises(OstroError, match="no routers"):
        even_routers(model, _samples(), 1.5, SilentProgress())


def test_routers_become_a_part_of_the_adapter(tmp_path: Path) -> None:
    geometry = open_checkpoint(save_tiny(tmp_path / "model", "mixtral")).geometry
    leaves = tuple(ATTENTION)
    pairs = {name: x.half() for name, x in random_pairs(geometry, leaves=leaves).items()}
    adapter = save_adapter(tmp_path / "adapter", pairs, target_modules=list(leaves))
    shape = (geometry.num_layers, geometry.num_experts, geometry.dim)
    routers = tuple(torch.randn(shape).unbind())
    with_routers(adapter, geometry, tmp_path / "evened", routers)
    before, after = (read_adapter(tmp_path / name, geometry) for name in ("adapter", "evened"))
    assert all(map(torch.equal, after.routers, routers))
    assert not before.routers
    for one, other in zip(before.layers, after.layers, strict=True):
        assert one.query is not None
        assert other.query is not None
        assert torch.equal(one.query.a_RI, other.query.a_RI)
        assert one.query.scale == other.query.scale
