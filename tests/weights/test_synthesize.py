"""Synthetic models: every type loads and computes, and takes the bytes that the plan says."""

from pathlib import Path

import pytest
import torch

import ostro
from ostro.config import WEIGHT_TYPES, Geometry, weight_bytes, weight_type
from ostro.config.weight_types import fitting_type
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.quantise import to_dense
from ostro.weights.slots import EXACT_KINDS, Slot, slots
from ostro.weights.synthesize import SYNTHETIC_TYPES, Synthetic, synthetic, write_synthetic
from ostro.weights.synthetic_vocabulary import SMALLEST, synthetic_vocabulary

WIDE = Geometry(
    vocab_size=300,
    dim=256,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=64,
    ffn_dim=512,
    num_experts=4,
    top_k=2,
    context_length=128,
)
# Rows of 64 and 96 numbers are whole blocks of 32, not of 256.
NARROW = Geometry(
    vocab_size=300,
    dim=64,
    num_layers=1,
    num_heads=2,
    num_kv_heads=1,
    head_dim=32,
    ffn_dim=96,
    context_length=64,
    tied_embeddings=True,
)


def _write(source: Synthetic, path: Path) -> Path:
    return write_synthetic(source, path, name="tiny", progress=SilentProgress()).path


@pytest.mark.parametrize("geometry", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("kind", SYNTHETIC_TYPES)
def test_every_type_loads_and_gives_sane_logits(kind, geometry, tmp_path) -> None:
    path = _write(Synthetic(geometry, WEIGHT_TYPES[kind]), tmp_path / "model.gguf")
    logits = ostro.load(path, dtype="float32", threads=1, progress=SilentProgress()).logits(
        list(range(259, 300))
    )
    assert torch.isfinite(logits).all()
    # The head's numbers have the variance 1 / dim, and the normalised rows it reads that of 1.
    assert 0.7 < logits.std() < 1.4
    assert abs(logits.mean()) < 0.3


@pytest.mark.parametrize("geometry", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("kind", SYNTHETIC_TYPES)
def test_sizes_are_the_plans(kind, geometry, tmp_path) -> None:
    source = Synthetic(geometry, WEIGHT_TYPES[kind])
    checkpoint = open_checkpoint(_write(source, tmp_path / "model.gguf"))
    exact = sum(source.read(s).data.numel() for s in slots(geometry) if s.kind in EXACT_KINDS)
    # In GGUF the norms and the router are F32 whatever the matrices are.
    narrow = 4 - WEIGHT_TYPES[kind].block_bytes if WEIGHT_TYPES[kind].is_dense else 0
    assert checkpoint.stored_bytes == weight_bytes(geometry, WEIGHT_TYPES[kind]) + narrow * exact
    for slot in slots(geometry):
        stored = checkpoint.read(slot)
        wanted = fitting_type(WEIGHT_TYPES[kind], stored.shape[-1])
        assert stored.type.name == ("F32" if slot.kind in EXACT_KINDS else wanted.name)


@pytest.mark.parametrize("kind", SYNTHETIC_TYPES)
def test_numbers_are_centred_and_have_the_variance_of_a_product(kind) -> None:
    source = Synthetic(WIDE, WEIGHT_TYPES[kind])
    for slot in (Slot("gate", 0, 1), Slot("down", 1, 3), Slot("head")):
        numbers = to_dense(source.read(slot), torch.float32)
        deviation = numbers.shape[1] ** -0.5
        assert numbers.std() == pytest.approx(deviation, rel=0.1)
        assert abs(numbers.mean()) < 0.05 * deviation


def test_experts_and_layers_and_rows_differ() -> None:
    source = Synthetic(WIDE, WEIGHT_TYPES["Q4_0"])
    all_slots = [slot for slot in slots(WIDE) if slot.kind == "gate"]
    gates = [source.read(slot).data for slot in all_slots]
    assert len({gate.numpy().tobytes() for gate in gates}) == len(all_slots)
    assert len({row.numpy().tobytes() for row in gates[0]}) == WIDE.ffn_dim


def test_the_seed_decides_everything(tmp_path) -> None:
    files = [
        _write(Synthetic(NARROW, WEIGHT_TYPES["Q8_0"], seed), tmp_path / f"{name}.gguf")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    first, again, other = (path.read_bytes() for path in files)
    assert first == again != other


def test_slots_larger_than_the_pool_overlap_but_stay_in_it() -> None:
    source = synthetic("llama-2-70b", weight_type("f32"), layers=1)
    gate = source.read(Slot("gate", 0))
    assert gate.shape == (28_672, 8192)
    assert not torch.equal(gate.data[0], gate.data[-1])
    assert torch.isfinite(gate.data[-1]).all()


def test_layers_and_context_change_the_preset() -> None:
    source = synthetic("mixtral-8x7b", weight_type("Q3_K"), layers=4, context=1000)
    assert (source.geometry.num_layers, source.geometry.context_length) == (4, 1000)
    assert source.geometry.num_experts == 8


@pytest.mark.parametrize(
    ("preset", "kind", "message"),
    [
        ("gpt", "Q4_0", "unknown preset 'gpt'; known: mixtral-8x7b"),
        ("demo", "IQ1_S", "cannot synthesise IQ1_S; use one of F32"),
    ],
)
def test_what_is_not_known_is_named(preset, kind, message) -> None:
    with pytest.raises(OstroError, match=message):
        synthetic(preset, weight_type(kind))


def test_the_vocabulary_has_distinct_pieces_and_its_size() -> None:
    vocabulary = synthetic_vocabulary(40_000)
    assert len(vocabulary.pieces) == len(set(vocabulary.pieces)) == 40_000
    assert len(vocabulary.scores) == len(vocabulary.kinds) == 40_000
    with pytest.raises(OstroError, match="260"):
        synthetic_vocabulary(SMALLEST - 1)


def test_text_goes_through_the_vocabulary_and_back(tmp_path) -> None:
    path = _write(Synthetic(NARROW, WEIGHT_TYPES["F16"]), tmp_path / "model.gguf")
    llm = ostro.load(path, threads=1, progress=SilentProgress())
    ids = llm.encode("a cab, Ж")
    assert ids[0] == 1
    assert llm.tokenizer.decode(ids) == "a cab, Ж"
