"""Unpacking by torch and by the gguf package: the same bits."""

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.config import WEIGHT_TYPES
from ostro.errors import OstroError
from ostro.weights.quantise import WRITABLE_TYPES, dense_tensor, narrowed, to_dense, to_type
from ostro.weights.stored import StoredTensor

FAST = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]


@pytest.mark.parametrize("kind", FAST)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_bytes_unpack_to_the_same_bits(kind, data) -> None:
    size = WEIGHT_TYPES[kind].block_bytes * 3
    raw = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8).copy()
    with np.errstate(all="ignore"):
        expected = torch.from_numpy(gguf.dequantize(raw[None], gguf.GGMLQuantizationType[kind]))
    actual = to_dense(StoredTensor(WEIGHT_TYPES[kind], torch.from_numpy(raw[None])), torch.float32)
    assert torch.equal(actual.nan_to_num(), expected.nan_to_num())


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"])
def test_other_types_go_through_the_package(kind) -> None:
    weight_type = WEIGHT_TYPES[kind]
    generator = torch.Generator().manual_seed(0)
    raw = torch.randint(0, 128, (4, weight_type.block_bytes), generator=generator).to(torch.uint8)
    stored = StoredTensor(weight_type, raw)
    assert stored.shape == (4, weight_type.block_size)
    expected = gguf.dequantize(raw.numpy(), gguf.GGMLQuantizationType[kind])
    assert np.array_equal(to_dense(stored, torch.float32).numpy(), expected, equal_nan=True)


@pytest.mark.parametrize("kind", FAST)
def test_quantising_keeps_the_numbers_close(kind) -> None:
    numbers = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    there = to_type(dense_tensor(numbers), WEIGHT_TYPES[kind])
    steps = {"Q4_0": 8, "Q4_1": 15, "Q5_0": 16, "Q5_1": 31, "Q8_0": 127}[kind]
    largest = numbers.view(8, 2, 32).abs().amax(-1, keepdim=True).expand(8, 2, 32).reshape(8, 64)
    # Half a step of the block's range, which is at most twice its largest number.
    assert ((to_dense(there, torch.float32) - numbers).abs() <= 1.05 * largest / steps + 1e-6).all()


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_K"])
def test_what_cannot_be_stored_is_told_with_its_place(kind) -> None:
    numbers = torch.zeros(2, 256)
    numbers[1, 3] = float("inf")
    with pytest.raises(OstroError, match=f"file: tensor t holds NaN, infinite.*{kind}"):
        to_type(dense_tensor(numbers), WEIGHT_TYPES[kind], where="file: tensor t")


def test_rows_that_are_not_whole_blocks_are_refused() -> None:
    with pytest.raises(OstroError, match="not a multiple"):
        to_type(dense_tensor(torch.zeros(2, 33)), WEIGHT_TYPES["Q8_0"])


def test_types_that_cannot_be_written_are_named() -> None:
    with pytest.raises(OstroError, match="cannot write IQ4_XS"):
        to_type(dense_tensor(torch.zeros(2, 256)), WEIGHT_TYPES["IQ4_XS"])
    assert "IQ4_XS" not in WRITABLE_TYPES


def test_narrowing_happens_only_where_nothing_is_lost() -> None:
    exact, inexact = torch.tensor([1.0, 0.5]), torch.tensor([1.0, 0.1])
    assert narrowed(dense_tensor(exact), WEIGHT_TYPES["BF16"]).type.name == "BF16"
    assert narrowed(dense_tensor(inexact), WEIGHT_TYPES["BF16"]).type.name == "F32"


def test_writing_into_a_part_of_a_larger_tensor() -> None:
    numbers = torch.randn(6, 32)
    there = to_type(dense_tensor(numbers), WEIGHT_TYPES["Q8_0"])
    target = torch.full((3, 6, 32), 7.0)
    to_dense(there, torch.float32, out=target[1])
    assert torch.equal(target[1], to_dense(there, torch.float32))
    assert (target[0] == 7).all()
    assert (target[2] == 7).all()
