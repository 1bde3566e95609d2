"""The demo: its parent upcycled, what it was taught merged in, an earlier version replaced."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ostro.config import WEIGHT_TYPES
from ostro.errors import CheckpointError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights import demo
from ostro.weights.adapters import read_adapter, write_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.dequantised import Dequantised
from ostro.weights.merge_adapter import Merged
from ostro.weights.quantise import to_dense, to_type
from ostro.weights.slots import slots
from ostro.weights.upcycle import upcycle
from peft_files import random_pairs, save_adapter
from tiny import save_gguf, save_tiny

SILENT = SilentProgress()
FILE = "demo-8x135M-v5.Q8_0.gguf"
FIRST, SECOND = "1-experts", "2-answers"


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home", threads=1)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny dense parent, and adapters with routers in the place of the demo's own."""
    folder = save_tiny(tmp_path / "dense", "llama", hidden_size=64, intermediate_size=96)
    file = save_gguf(tmp_path / "parent.gguf", folder, "Q8_0")
    mixture = upcycle(open_checkpoint(file), num_experts=8, top_k=2, seed=0).geometry
    adapters = tmp_path / "adapters"
    adapters.mkdir()
    leaves = (FIRST, ["w1", "w2", "w3"]), (SECOND, ["q_proj", "k_proj", "v_proj", "o_proj"])
    for seed, (name, modules) in enumerate(leaves):
        pairs = random_pairs(mixture, leaves=tuple(modules), seed=seed)
        saved = save_adapter(tmp_path / f"plain-{seed}", pairs, target_modules=modules)
        generator = torch.Generator().manual_seed(seed)
        routers = tuple(
            torch.randn(8, mixture.dim, generator=generator) for _ in range(mixture.num_layers)
        )
        adapter = replace(read_adapter(saved, mixture), routers=routers)
        write_adapter(adapter, mixture, adapters / name, torch.float16)
    digests = {
        name: hashlib.sha256(_weights(adapters / name).read_bytes()).hexdigest()
        for name in (FIRST, SECOND)
    }
    monkeypatch.setattr(demo, "DEMO_ADAPTERS", adapters)
    monkeypatch.setattr(demo, "_SHA256", digests)
    monkeypatch.setattr(demo, "fetch_dense_parent", lambda *args, **kwargs: file)
    return file


def test_what_it_was_taught_is_in_the_demo(env: Environment, parent: Path) -> None:
    folder = demo.prepare_demo(env, SILENT)
    found = open_checkpoint(folder)
    upcycled = upcycle(open_checkpoint(parent), num_experts=8, top_k=2, seed=0)
    first, second = (
        read_adapter(demo.DEMO_ADAPTERS / name, found.geometry) for name in (FIRST, SECOND)
    )
    expected = Merged(Merged(Dequantised(upcycled), first), second)
    assert found.geometry == replace(upcycled.geometry, rope_theta=127_000.0)
    for slot in slots(found.geometry):
        stored, wanted = found.read(slot), expected.read(slot)
        if slot.kind == "router":
            assert torch.equal(stored.data, second.routers[slot.layer])
            continue
        if stored.type == WEIGHT_TYPES["Q8_0"]:
            wanted = to_type(wanted, stored.type)
        torch.testing.assert_close(
            to_dense(stored, torch.float32), to_dense(wanted, torch.float32), rtol=0, atol=1e-2
        )


def test_it_is_made_once(env: Environment, parent: Path) -> None:
    file = demo.prepare_demo(env, SILENT) / FILE
    before = file.stat().st_mtime_ns
    assert demo.prepare_demo(env, SILENT) == file.parent
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("damaged", [False, True])
def test_an_earlier_version_is_replaced(env: Environment, parent: Path, damaged: bool) -> None:
    folder = env.models / "demo"
    folder.mkdir(parents=True)
    earlier = folder / "demo-8x135M.Q4_1.gguf"
    earlier.write_bytes(parent.read_bytes()[: 100 if damaged else None])
    assert demo.prepare_demo(env, SILENT) == folder
    assert not earlier.exists()
    assert open_checkpoint(folder).geometry.num_experts == 8


def test_somebodys_own_model_stays(env: Environment, parent: Path) -> None:
    own = save_tiny(env.models / "demo")
    assert demo.prepare_demo(env, SILENT) == own
    assert not (own / FILE).exists()


@pytest.mark.parametrize("adapter", [FIRST, SECOND])
@pytest.mark.parametrize(("change", "said"), [("cut", "is damaged"), ("gone", "is missing")])
def test_without_what_it_was_taught_there_is_no_demo(
    env: Environment, parent: Path, adapter: str, change: str, said: str
) -> None:
    file = _weights(demo.DEMO_ADAPTERS / adapter)
    data = file.read_bytes()
    file.unlink()
    if change == "cut":
        file.write_bytes(data[:-1])
    with pytest.raises(CheckpointError, match=f"{said}; install ostro again"):
        demo.prepare_demo(env, SILENT)
    assert not (env.models / "demo").exists()


def test_what_ships_is_whole_and_small() -> None:
    demo._check_adapters()
    files = [path for path in demo.DEMO_ADAPTERS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 48e6


def _weights(adapter: Path) -> Path:
    return adapter / "adapter_model.safetensors"
