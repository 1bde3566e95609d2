"""Layouts that ostro only reads: made here from a known model, tensor by tensor."""

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from ostro.config import PRESETS
from ostro.errors import CheckpointError
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.layouts import (
    GGUF,
    GGUF_FUSED,
    GGUF_SPLIT,
    HF,
    LAYOUTS,
    MISTRAL,
    MISTRAL_TORRENT,
    MODEL,
)
from ostro.weights.mistral_params import params_from_geometry
from ostro.weights.slots import slot_shape, slots
from ostro.weights.stored import head_rows_to_halves, head_rows_to_pairs
from tiny import save_tiny


@pytest.fixture
def original(tmp_path: Path) -> Checkpoint:
    return open_checkpoint(save_tiny(tmp_path / "original"))


def _numbers(checkpoint: Checkpoint, kind: str, layer: int, expert: int = -1) -> torch.Tensor:
    from ostro.weights.slots import Slot

    return checkpoint.read(Slot(kind, layer, expert)).data


def _assert_equal(first: Checkpoint, second: Checkpoint) -> None:
    for slot in slots(first.geometry):
        assert torch.equal(first.read(slot).data, second.read(slot).data), slot


def _torrent_tensors(original: Checkpoint) -> dict[str, torch.Tensor]:
    """Written out by hand, as the published conversion script describes the eight files."""
    g = original.geometry
    pairs = {n: head_rows_to_pairs(n, g.head_dim) for n in (g.query_dim, g.kv_dim)}
    tensors = {
        "tok_embeddings.weight": _numbers(original, "embedding", -1),
        "norm.weight": _numbers(original, "norm", -1),
        "output.weight": _numbers(original, "head", -1),
    }
    for layer in range(g.num_layers):
        own = {
            "attention_norm.weight": _numbers(original, "attention_norm", layer),
            "ffn_norm.weight": _numbers(original, "feed_forward_norm", layer),
            "attention.wq.weight": _numbers(original, "query", layer)[pairs[g.query_dim]],
            "attention.wk.weight": _numbers(original, "key", layer)[pairs[g.kv_dim]],
            "attention.wv.weight": _numbers(original, "value", layer),
            "attention.wo.weight": _numbers(original, "output", layer),
            "block_sparse_moe.gate.weight": _numbers(original, "router", layer),
        }
        for name, kind in (("w1", "gate"), ("w2", "down"), ("w3", "up")):
            parts = [_numbers(original, kind, layer, e) for e in range(g.num_experts)]
            parts = [part.T for part in parts] if kind == "down" else parts
            own[f"block_sparse_moe.{name}"] = torch.cat(parts).contiguous()
        tensors |= {f"layers.{layer}.{name}": tensor for name, tensor in own.items()}
    return tensors


def test_the_torrent_of_eight_pickles(original: Checkpoint, tmp_path: Path) -> None:
    import json

    folder = tmp_path / "torrent"
    folder.mkdir()
    tensors = list(_torrent_tensors(original).items())
    for number in range(8):
        torch.save(dict(tensors[number::8]), folder / f"consolidated.{number:02d}.pt")
    params = params_from_geometry(original.geometry)
    del params["rope_theta"]
    (folder / "params.json").write_text(json.dumps(params))
    torrent = open_checkpoint(folder)
    assert torrent.layout is MISTRAL_TORRENT
    assert torrent.geometry == original.geometry
    _assert_equal(original, torrent)


@pytest.mark.parametrize("suffix", ["pth", "pt"])
def test_mistral_pickle_with_separate_experts(original, tmp_path, suffix) -> None:
    import json

    folder = tmp_path / "mistral"
    folder.mkdir()
    tensors = {}
    for slot, placement in MISTRAL.table(original.geometry).items():
        stored = original.read(slot)
        if placement.interleaved:
            order = head_rows_to_pairs(stored.shape[0], original.geometry.head_dim)
            stored = stored.rows(order)
        tensors[placement.tensor] = stored.data.clone()
    torch.save(tensors, folder / f"consolidated.00.{suffix}")
    (folder / "params.json").write_text(json.dumps(params_from_geometry(original.geometry)))
    _assert_equal(original, open_checkpoint(folder))


@pytest.mark.parametrize("layout", [GGUF, GGUF_SPLIT, GGUF_FUSED], ids=lambda x: x.name)
def test_gguf_with_merged_split_and_fused_experts(original, tmp_path, layout) -> None:
    from ostro.weights.gguf_metadata import metadata_from_geometry

    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in metadata_from_geometry(original.geometry).items():
        writer.add_float32(key, value) if isinstance(value, float) else writer.add_uint32(
            key, value
        )
    arrays: dict[str, np.ndarray] = {}
    for slot, placement in layout.table(original.geometry).items():
        numbers = original.read(slot).data
        if placement.interleaved:
            numbers = numbers[head_rows_to_pairs(len(numbers), original.geometry.head_dim)]
        whole = arrays.setdefault(placement.tensor, np.empty(placement.shape, np.float32))
        whole[placement.index or ...] = numbers.numpy()
    for name, array in arrays.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    opened = open_checkpoint(path)
    assert opened.layout is layout
    assert opened.geometry == original.geometry
    _assert_equal(original, opened)


def test_a_split_gguf_is_read_as_one_and_misses_no_part(original, tmp_path) -> None:
    from ostro.weights.gguf_metadata import metadata_from_geometry

    arrays = {}
    for slot, placement in GGUF_SPLIT.table(original.geometry).items():
        numbers = original.read(slot).data
        if placement.interleaved:
            numbers = numbers[head_rows_to_pairs(len(numbers), original.geometry.head_dim)]
        arrays[placement.tensor] = numbers.numpy()
    names = list(arrays)
    for part in range(3):
        writer = gguf.GGUFWriter(tmp_path / f"m-0000{part + 1}-of-00003.gguf", "llama")
        for key, value in metadata_from_geometry(original.geometry).items() if part == 0 else ():
            add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
            add(key, value)
        for name in names[part::3]:
            writer.add_tensor(name, arrays[name])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    for path in (tmp_path / "m-00002-of-00003.gguf", tmp_path):
        _assert_equal(original, open_checkpoint(path))
    (tmp_path / "m-00003-of-00003.gguf").unlink()
    with pytest.raises(CheckpointError, match=r"m-00003-of-00003\.gguf is not beside it"):
        open_checkpoint(tmp_path / "m-00001-of-00003.gguf")


def test_every_layout_holds_every_number_once() -> None:
    geometry = replace(PRESETS["mixtral-8x7b"], num_layers=1, dim=8, ffn_dim=6, vocab_size=10)
    dense = replace(geometry, num_experts=0, top_k=0)
    for layout in (*LAYOUTS, MODEL):
        for g in (geometry, dense):
            if not layout.fits(g):
                continue
            covered: dict[str, torch.Tensor] = {}
            for slot, placement in layout.table(g).items():
                grid = covered.setdefault(placement.tensor, torch.zeros(placement.shape))
                part = grid[placement.index] if placement.index else grid
                shape = slot_shape(g, slot.kind)
                assert part.shape == (shape[::-1] if placement.transposed else shape)
                part += 1
            assert all((grid == 1).all() for grid in covered.values()), layout.name


@pytest.mark.parametrize(
    ("layout", "count"), [(HF, 995), (GGUF, 323), (GGUF_SPLIT, 995)], ids=lambda x: str(x)[:12]
)
def test_published_numbers_of_tensors(layout, count) -> None:
    table = layout.table(PRESETS["mixtral-8x7b"])
    assert len({placement.tensor for placement in table.values()}) == count


def test_rotary_orders_are_inverse_and_as_published() -> None:
    to_pairs, to_halves = head_rows_to_pairs(16, 8), head_rows_to_halves(16, 8)
    assert torch.equal(to_pairs[to_halves], torch.arange(16))
    # The published conversion to halves: view(heads, d/2, 2).transpose(1, 2).
    expected = torch.arange(16).view(2, 4, 2).transpose(1, 2).reshape(-1)
    assert torch.equal(to_halves, expected)
