"""Weight types agree with the gguf package's sizes."""

import gguf
import pytest

from ostro.config import WEIGHT_TYPES, weight_type
from ostro.config.weight_types import fitting_type
from ostro.errors import OstroError


@pytest.mark.parametrize("name", WEIGHT_TYPES)
def test_blocks_are_those_of_gguf(name: str) -> None:
    kind = WEIGHT_TYPES[name]
    sizes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    assert (kind.block_size, kind.block_bytes) == sizes
    assert kind.name == name


def test_bits_count_the_scales() -> None:
    assert WEIGHT_TYPES["Q4_0"].bits_per_weight == 4.5
    assert WEIGHT_TYPES["BF16"].bits_per_weight == 16
    assert [name for name, kind in WEIGHT_TYPES.items() if kind.is_dense] == ["F32", "F16", "BF16"]


def test_a_row_must_be_whole_blocks() -> None:
    assert WEIGHT_TYPES["Q4_K"].row_bytes(512) == 288
    with pytest.raises(OstroError, match="Q4_K stores blocks of 256; a row of 576 is not"):
        WEIGHT_TYPES["Q4_K"].row_bytes(576)


def test_names_are_read_in_any_case() -> None:
    assert weight_type("q4_k") is WEIGHT_TYPES["Q4_K"]
    with pytest.raises(OstroError, match="unknown weight type 'Q9'; known: F32"):
        weight_type("Q9")


@pytest.mark.parametrize(
    ("wanted", "columns", "fitting"),
    [
        ("Q4_K", 4096, "Q4_K"),
        ("Q4_K", 576, "Q5_0"),
        ("Q6_K", 96, "Q8_0"),
        ("Q2_K", 33, "F16"),
        ("Q4_0", 33, "F16"),
        ("BF16", 7, "BF16"),
    ],
)
def test_what_replaces_a_type_that_does_not_fit(wanted: str, columns: int, fitting: str) -> None:
    kind = fitting_type(WEIGHT_TYPES[wanted], columns)
    assert kind.name == fitting
    kind.row_bytes(columns)
