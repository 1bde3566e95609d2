"""Random matrices of every weight type, as GGUF stores them, with the numbers they stand for."""

from functools import cache

import gguf
import numpy as np
import torch
from torch import Tensor

from ostro.kernels.native import TYPE_NUMBERS, NativeContext
from ostro.kernels.structures import Matrix

TYPES = tuple(TYPE_NUMBERS)
_DENSE = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Where a block keeps its float16 scales.
_HALVES = {
    "Q4_0": (0,),
    "IQ4_NL": (0,),
    "Q5_0": (0,),
    "Q8_0": (0,),
    "Q4_1": (0, 2),
    "Q5_1": (0, 2),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
}


@cache
def random_matrix(kind: str, rows: int, columns: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Bytes of ``rows`` GGUF rows, and their numbers in float32, of about unit size."""
    rng = np.random.default_rng([seed, rows, columns])
    if kind in _DENSE:
        numbers = torch.from_numpy(rng.standard_normal((rows, columns)).astype(np.float32))
        stored = numbers.to(_DENSE[kind])
        return stored.view(torch.uint8).flatten(), stored.float()
    number = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[number]
    data = rng.integers(0, 256, (rows * columns // block, size), dtype=np.uint8)
    for place in _HALVES[kind]:
        halves = rng.uniform(-1, 1, (len(data), 1)).astype(np.float16)
        data[:, place : place + 2] = halves.view(np.uint8)
    numbers = gguf.dequantize(data.reshape(rows, -1), number)
    # Scaled by a power of two, so that float16 scales stay exact.
    shift = np.float16(2.0 ** -round(np.log2(numbers.std())))
    for place in _HALVES[kind]:
        halves = data[:, place : place + 2].copy().view(np.float16) * shift
        data[:, place : place + 2] = halves.view(np.uint8)
    numbers = gguf.dequantize(data.reshape(rows, -1), number)
    return torch.from_numpy(data).flatten(), torch.from_numpy(numbers)


class Packed:
    """A packed random matrix: its descriptor, and its numbers."""

    def __init__(
        self, context: NativeContext, kind: str, rows: int, columns: int, seed: int = 0
    ) -> None:
        source, self.numbers = random_matrix(kind, rows, columns, seed)
        self.data = torch.empty(context.packed_bytes(kind, rows, columns), dtype=torch.uint8)
        context.pack(kind, source, rows, columns, self.data.data_ptr())
        self.matrix = Matrix(self.data.data_ptr(), TYPE_NUMBERS[kind], rows, columns)
