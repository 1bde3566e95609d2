"""Upcycling: the mixture computes what its dense parent does, and is an ordinary checkpoint."""

import json
from pathlib import Path

import pytest
import torch

from ostro.config import WEIGHT_TYPES
from ostro.engine.session import Session
from ostro.errors import CheckpointError
from ostro.kernels.dispatch import torch_kernels
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.convert import WRITABLE_LAYOUTS, write_model
from ostro.weights.load import load_model
from ostro.weights.slots import Slot
from ostro.weights.tokenizer_files import TokenizerFiles
from ostro.weights.upcycle import upcycle
from tiny import save_tiny


def _write(source, path: Path, layout: str, kind: str | None = None) -> Checkpoint:
    write_model(
        source,
        TokenizerFiles(None),
        path,
        layout=WRITABLE_LAYOUTS[layout],
        kind=None if kind is None else WEIGHT_TYPES[kind],
        progress=SilentProgress(),
        name="tiny",
    )
    return open_checkpoint(path)


def _logits(checkpoint: Checkpoint) -> torch.Tensor:
    model = load_model(
        checkpoint,
        torch_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=SilentProgress(),
    )
    return Session(model, 64).feed(list(range(40)), all_logits=True)


@pytest.mark.parametrize("kind", ["llama", "mistral"])
@pytest.mark.parametrize(
    ("layout", "name"), [("hf", "out"), ("mistral", "out"), ("gguf", "o.gguf")]
)
def test_logits_equal_the_dense_parents(kind, layout, name, tmp_path) -> None:
    parent = open_checkpoint(save_tiny(tmp_path / "parent", kind))
    mixture = _write(upcycle(parent, num_experts=8, top_k=2, seed=0), tmp_path / name, layout)
    assert (mixture.geometry.num_experts, mixture.geometry.top_k) == (8, 2)
    expected = _logits(parent)
    error = (_logits(mixture) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5


def test_transformers_reads_the_result_as_mixtral(tmp_path: Path) -> None:
    import transformers

    parent = open_checkpoint(save_tiny(tmp_path / "parent", "llama"))
    mixture = _write(upcycle(parent, num_experts=4, top_k=2, seed=0), tmp_path / "out", "hf")
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert type(reference).__name__ == "MixtralForCausalLM"
    with torch.no_grad():
        expected = reference(torch.arange(40)[None]).logits[0]
    assert (_logits(mixture) - expected).abs().max() / expected.abs().max() < 1e-5
    assert json.loads((tmp_path / "out" / "config.json").read_text())["num_local_experts"] == 4


def test_quantised_blocks_are_copied_byte_for_byte(tmp_path: Path) -> None:
    dense = open_checkpoint(save_tiny(tmp_path / "dense", "llama"))
    parent = _write(dense, tmp_path / "parent.gguf", "gguf", "Q4_1")
    mixture = _write(upcycle(parent, num_experts=8, top_k=2, seed=0), tmp_path / "o.gguf", "gguf")
    for kind in ("gate", "up", "down"):
        for expert in range(8):
            copy = mixture.read(Slot(kind, 1, expert))
            assert copy.type.name == "Q4_1"
            assert torch.equal(copy.data, parent.read(Slot(kind, 1)).data)


def test_routers_are_normal_differ_by_layer_and_repeat_by_seed(tmp_path: Path) -> None:
    parent = open_checkpoint(save_tiny(tmp_path / "parent", "llama"))

    def router(seed: int, layer: int) -> torch.Tensor:
        return upcycle(parent, num_experts=64, top_k=2, seed=seed).read(Slot("router", layer)).data

    assert abs(router(0, 0).std().item() - 0.02) < 1e-3
    assert not torch.equal(router(0, 0), router(0, 1))
    assert not torch.equal(router(0, 0), router(1, 0))
    assert torch.equal(router(3, 2), router(3, 2))


def test_a_mixture_is_not_upcycled_again(tmp_path: Path) -> None:
    parent = open_checkpoint(save_tiny(tmp_path / "parent"))
    with pytest.raises(CheckpointError, match="has 8 experts already"):
        upcycle(parent, num_experts=8, top_k=2, seed=0)
