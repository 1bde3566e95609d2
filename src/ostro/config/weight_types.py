"""Weight types: how many bytes a row of numbers takes in each of them.

A type stores a row in blocks of ``block_size`` numbers, ``block_bytes`` bytes each. The dense
types have blocks of one. Names and block layouts are GGUF's; a test compares them with the
``gguf`` package.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostro.errors import OstroError


@dataclass(frozen=True)
class WeightType:
    """One way to store numbers."""

    name: str
    block_size: int
    block_bytes: int

    @property
    def is_dense(self) -> bool:
        """Whether each number stands for itself (no block shares a scale)."""
        return self.block_size == 1

    @property
    def bits_per_weight(self) -> float:
        """Average bits a weight, scales included."""
        return 8 * self.block_bytes / self.block_size

    def row_bytes(self, columns: int) -> int:
        """Bytes of one row of ``columns`` numbers, which must be whole blocks."""
        if columns % self.block_size:
            raise OstroError(
                f"{self.name} stores blocks of {self.block_size}; "
                f"a row of {columns} is not a multiple of that"
            )
        return columns // self.block_size * self.block_bytes


_BLOCKS = {
    "F32": (1, 4),
    "F16": (1, 2),
    "BF16": (1, 2),
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
    "IQ3_S": (256, 110),
    "IQ3_XXS": (256, 98),
    "IQ2_S": (256, 82),
    "IQ2_XS": (256, 74),
    "IQ2_XXS": (256, 66),
    "IQ1_S": (256, 50),
    "IQ1_M": (256, 56),
    "TQ1_0": (256, 54),
    "TQ2_0": (256, 66),
    "MXFP4": (32, 17),
}

WEIGHT_TYPES: Mapping[str, WeightType] = MappingProxyType(
    {name: WeightType(name, *blocks) for name, blocks in _BLOCKS.items()}
)

# What llama.cpp's quantiser stores instead where a row is not whole blocks of 256.
_FALLBACKS = {"Q2_K": "IQ4_NL", "Q3_K": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def weight_type(name: str) -> WeightType:
    """The type called ``name``, in any case. An unknown name is an error that lists the known."""
    try:
        return WEIGHT_TYPES[name.upper()]
    except KeyError:
        known = ", ".join(WEIGHT_TYPES)
        raise OstroError(f"unknown weight type {name!r}; known: {known}") from None


def cache_type(compute: WeightType) -> WeightType:
    """What keys and values are kept in: as dense weights are, F16 beside quantised ones."""
    return compute if compute.is_dense else WEIGHT_TYPES["F16"]


def fitting_type(wanted: WeightType, columns: int) -> WeightType:
    """``wanted``, or what replaces it in a matrix whose rows are not whole blocks of it."""
    if columns % wanted.block_size == 0:
        return wanted
    fallback = WEIGHT_TYPES[_FALLBACKS.get(wanted.name, "F16")]
    return fallback if columns % fallback.block_size == 0 else WEIGHT_TYPES["F16"]
