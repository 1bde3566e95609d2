"""Every layout to every other and back: the same bits."""

import itertools
from pathlib import Path

import pytest
import torch

from ostro.config import WEIGHT_TYPES
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.convert import WRITABLE_LAYOUTS, write_model
from ostro.weights.slots import Slot, slots
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny import save_tiny

DENSE_LAYOUTS = ["hf", "mistral", "gguf"]
SPARSE_LAYOUTS = ["hf", "hf-fused", "mistral", "gguf"]


def _write(
    source: Checkpoint, path: Path, layout: str, kind: str | None = None, **more
) -> Checkpoint:
    path = path.with_suffix(".gguf") if layout == "gguf" else path
    write_model(
        source,
        TokenizerFiles.beside(source.path),
        path,
        layout=WRITABLE_LAYOUTS[layout],
        kind=None if kind is None else WEIGHT_TYPES[kind],
        progress=SilentProgress(),
        name="tiny",
        **more,
    )
    return open_checkpoint(path)


def _assert_same_numbers(first: Checkpoint, second: Checkpoint) -> None:
    tied = first.geometry.tied_embeddings
    for slot in slots(second.geometry):
        wanted = Slot("embedding") if tied and slot.kind == "head" else slot
        a, b = first.read(wanted), second.read(slot)
        assert a.shape == b.shape
        assert torch.equal(a.data.float(), b.data.float()), slot


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["F32", "BF16"])
@pytest.mark.parametrize(("first", "second"), list(itertools.product(SPARSE_LAYOUTS, repeat=2)))
def test_sparse_round_trip_is_bit_identical(first, second, dtype, tmp_path) -> None:
    original = open_checkpoint(save_tiny(tmp_path / "original", dtype=dtype))
    there = _write(original, tmp_path / "there", first)
    back = _write(there, tmp_path / "back", second)
    home = _write(back, tmp_path / "home", "hf")
    assert (there.layout.name, back.layout.name) == (first, second)
    for checkpoint in (there, back, home):
        _assert_same_numbers(original, checkpoint)
    kinds = {info.type.name for info in home.files.infos.values()}
    assert kinds == {"F32" if dtype == torch.float32 else "BF16"}


@pytest.mark.parametrize("kind", ["llama", "mistral"])
@pytest.mark.parametrize(("first", "second"), list(itertools.product(DENSE_LAYOUTS, repeat=2)))
def test_dense_round_trip_is_bit_identical(kind, first, second, tmp_path) -> None:
    original = open_checkpoint(save_tiny(tmp_path / "original", kind))
    there = _write(original, tmp_path / "there", first)
    back = _write(there, tmp_path / "back", second)
    _assert_same_numbers(original, there)
    _assert_same_numbers(original, back)
    assert back.geometry == original.geometry


@pytest.mark.parametrize("layout", SPARSE_LAYOUTS)
def test_tied_head_survives_or_becomes_a_copy(layout, tmp_path) -> None:
    original = open_checkpoint(save_tiny(tmp_path / "original", tie_word_embeddings=True))
    there = _write(original, tmp_path / "there", layout)
    assert there.geometry.tied_embeddings == (layout != "mistral")
    _assert_same_numbers(original, there)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_quantised_gguf_is_close_and_copied_without_requantising(kind, tmp_path) -> None:
    original = open_checkpoint(save_tiny(tmp_path / "original"))
    quantised = _write(original, tmp_path / "small", "gguf", kind)
    assert quantised.matrix_type.name == kind
    again = _write(quantised, tmp_path / "again", "gguf")
    for slot in slots(original.geometry):
        assert torch.equal(quantised.read(slot).data, again.read(slot).data)
        assert (quantised.read(slot).type.name == "F32") == (
            "norm" in slot.kind or slot.kind == "router"
        )


def test_shards_are_planned_and_read_back(tmp_path) -> None:
    original = open_checkpoint(save_tiny(tmp_path / "original"))
    there = _write(original, tmp_path / "there", "hf", max_shard_bytes=100_000)
    assert len(list((tmp_path / "there").glob("model-*-of-*.safetensors"))) > 3
    _assert_same_numbers(original, there)
