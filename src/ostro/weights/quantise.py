"""Quantised blocks to numbers and back.

The 32-wide types of most files are unpacked here with torch, since it must be fast enough that a
model is ready in seconds; all others go through the ``gguf`` package. Both give the same bits.
Packing is the business of ``kernels``.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, WeightType
from ostro.errors import CheckpointError, OstroError
from ostro.kernels.quantise import Quantiser
from ostro.kernels.quantise_twin import QUANTISABLE_TYPES, UnstorableError, quantise_twin
from ostro.weights.stored import DTYPE_OF_TYPE, TYPE_OF_DTYPE, StoredTensor

# Blocks unpacked at once: small enough that the float32 values between stay in the cache.
_CHUNK_BLOCKS = 1 << 15

WRITABLE_TYPES = (*DTYPE_OF_TYPE, *QUANTISABLE_TYPES)


def to_dense(stored: StoredTensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    """Numbers of ``stored`` in ``dtype``; written into ``out`` if given (same shape)."""
    if stored.type.is_dense:
        return stored.data.to(dtype) if out is None else out.copy_(stored.data)
    if out is None:
        out = torch.empty(stored.shape, dtype=dtype)
    unpack = _UNPACKERS.get(stored.type.name)
    if unpack is None:
        return out.copy_(_dequantise_by_library(stored))
    blocks = stored.data.reshape(-1, stored.type.block_bytes)
    target = out if out.is_contiguous() else torch.empty(stored.shape, dtype=dtype)
    numbers = target.view(-1, stored.type.block_size)
    for start in range(0, blocks.shape[0], _CHUNK_BLOCKS):
        part = slice(start, start + _CHUNK_BLOCKS)
        unpack(blocks[part], numbers[part])
    return out if target is out else out.copy_(target)


def to_type(
    stored: StoredTensor,
    kind: WeightType,
    *,
    quantise: Quantiser = quantise_twin,
    where: str = "a tensor",
) -> StoredTensor:
    """``stored`` as another type. Rows that are not whole blocks are an error.

    So are numbers that no block can hold, told with ``where``, the tensor's place.
    """
    if stored.type == kind:
        return stored
    if kind.is_dense:
        dtype = DTYPE_OF_TYPE[kind.name]
        return StoredTensor(kind, to_dense(stored, dtype))
    if kind.name not in WRITABLE_TYPES:
        raise OstroError(f"cannot write {kind.name}; use one of {', '.join(WRITABLE_TYPES)}")
    try:
        return StoredTensor(kind, quantise(to_dense(stored, torch.float32), kind))
    except UnstorableError:
        raise CheckpointError(
            f"{where} holds NaN, infinite weights or some beyond 65504, which {kind.name} cannot "
            "store; the file is damaged"
        ) from None


def narrowed(stored: StoredTensor, kind: WeightType) -> StoredTensor:
    """``stored`` in the dense type ``kind`` if that loses nothing, else as it is."""
    if stored.type == kind or not (stored.type.is_dense and kind.is_dense):
        return stored
    candidate = stored.data.to(DTYPE_OF_TYPE[kind.name])
    same = torch.equal(candidate.to(stored.data.dtype), stored.data)
    return StoredTensor(kind, candidate) if same else stored


def dense_tensor(data: Tensor) -> StoredTensor:
    """A tensor in memory as a stored one."""
    return StoredTensor(TYPE_OF_DTYPE[data.dtype], data)


def _dequantise_by_library(stored: StoredTensor) -> Tensor:
    from gguf import GGMLQuantizationType, dequantize

    try:
        numbers = dequantize(stored.data.numpy(), GGMLQuantizationType[stored.type.name])
    except (NotImplementedError, KeyError) as error:
        raise OstroError(f"cannot dequantise weight type {stored.type.name}") from error
    return torch.from_numpy(numbers)


def _halves(blocks: Tensor, start: int) -> Tensor:
    """The float16 at byte ``start`` of each block, as float32 ``[blocks, 1]``."""
    return blocks[:, start : start + 2].contiguous().view(torch.float16).float()


def _nibbles(blocks: Tensor, start: int) -> Tensor:
    """The 32 four-bit numbers from byte ``start``: low halves first. uint8 ``[blocks, 32]``."""
    packed = blocks[:, start : start + 16]
    return torch.cat((packed & 15, packed >> 4), dim=1)


def _fifth_bits(blocks: Tensor, start: int) -> Tensor:
    """The 32 single bits from byte ``start``, each worth 16. uint8 ``[blocks, 32]``."""
    positions = torch.arange(8, dtype=torch.uint8)
    bits = (blocks[:, start : start + 4, None] >> positions) & 1
    return bits.flatten(1) << 4


def _unpack_q4_0(blocks: Tensor, out: Tensor) -> None:
    out.copy_((_nibbles(blocks, 2).float() - 8) * _halves(blocks, 0))


def _unpack_q4_1(blocks: Tensor, out: Tensor) -> None:
    out.copy_(_nibbles(blocks, 4).float().mul_(_halves(blocks, 0)).add_(_halves(blocks, 2)))


def _unpack_q5_0(blocks: Tensor, out: Tensor) -> None:
    numbers = _nibbles(blocks, 6) | _fifth_bits(blocks, 2)
    out.copy_((numbers.float() - 16) * _halves(blocks, 0))


def _unpack_q5_1(blocks: Tensor, out: Tensor) -> None:
    numbers = _nibbles(blocks, 8) | _fifth_bits(blocks, 4)
    out.copy_(numbers.float().mul_(_halves(blocks, 0)).add_(_halves(blocks, 2)))


def _unpack_q8_0(blocks: Tensor, out: Tensor) -> None:
    out.copy_(blocks[:, 2:].contiguous().view(torch.int8).float() * _halves(blocks, 0))


_UNPACKERS: dict[str, Callable[[Tensor, Tensor], None]] = {
    "Q4_0": _unpack_q4_0,
    "Q4_1": _unpack_q4_1,
    "Q5_0": _unpack_q5_0,
    "Q5_1": _unpack_q5_1,
    "Q8_0": _unpack_q8_0,
}

# The table of types and the unpackers must not drift apart.
assert set(_UNPACKERS) <= set(WEIGHT_TYPES)
