"""A tensor as it lies in a file: its type, and its bytes, mapped and not yet touched."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, WeightType
from ostro.weights.layouts import Index

TYPE_OF_DTYPE = {
    torch.float32: WEIGHT_TYPES["F32"],
    torch.float16: WEIGHT_TYPES["F16"],
    torch.bfloat16: WEIGHT_TYPES["BF16"],
}
DTYPE_OF_TYPE = {kind.name: dtype for dtype, kind in TYPE_OF_DTYPE.items()}


@dataclass(frozen=True)
class TensorInfo:
    """What a file says of one tensor before it is read."""

    type: WeightType
    shape: tuple[int, ...]
    file: str
    """Name of the file that holds it, for messages."""

    @property
    def bytes(self) -> int:
        """Size on disk."""
        rows = math.prod(self.shape[:-1])
        return rows * self.type.row_bytes(self.shape[-1])


@dataclass(frozen=True)
class StoredTensor:
    """Numbers of one type.

    Dense: ``data`` has the type's dtype and the tensor's shape. Quantised: ``data`` is uint8 and
    its last axis holds the bytes of a row. All other axes are the tensor's own in both cases, so
    indexing and moving rows work on either without looking inside a block.
    """

    type: WeightType
    data: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in numbers."""
        columns = self.data.shape[-1] * self.type.block_size
        if not self.type.is_dense:
            columns //= self.type.block_bytes
        return (*self.data.shape[:-1], columns)

    def part(self, index: Index) -> "StoredTensor":
        """A part cut along any axes but the last."""
        return StoredTensor(self.type, self.data[index]) if index else self

    def rows(self, order: Tensor) -> "StoredTensor":
        """The rows of a matrix in another order."""
        return StoredTensor(self.type, self.data[order])


class TensorFiles(Protocol):
    """One or several files of tensors, opened but not read."""

    @property
    def infos(self) -> dict[str, TensorInfo]:
        """Every tensor by name."""
        ...

    def read(self, name: str) -> StoredTensor:
        """The tensor's bytes, mapped."""
        ...


def head_rows_to_halves(num_rows: int, head_dim: int) -> Tensor:
    """Order that takes the rows of neighbouring rotary pairs to the order of halves."""
    rows = torch.arange(num_rows).view(-1, head_dim // 2, 2)
    return rows.transpose(1, 2).flatten()


def head_rows_to_pairs(num_rows: int, head_dim: int) -> Tensor:
    """The inverse of :func:`head_rows_to_halves`."""
    rows = torch.arange(num_rows).view(-1, 2, head_dim // 2)
    return rows.transpose(1, 2).flatten()
