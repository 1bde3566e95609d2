"""The plain quantiser: what the native one computes, but without its search.

A block's scale comes from its extreme numbers alone, and scales of sub-blocks are rounded to their
bits. Layouts of the blocks as in GGUF; B counts blocks, and a super-block has 256 numbers.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from ostro.config import WeightType

_LARGEST = 65504.0  # Of float16, in which scales are stored.
_CHUNK_BLOCKS = 1 << 14
_NON_LINEAR = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


class UnstorableError(ValueError):
    """Numbers that no block can store: NaN, infinite, or beyond 65504."""


def quantise_twin(numbers: Tensor, kind: WeightType) -> Tensor:
    """float32 ``[..., C]`` as uint8 ``[..., bytes of a row]``; C must be whole blocks."""
    row_bytes = kind.row_bytes(numbers.shape[-1])
    blocks = numbers.float().reshape(-1, kind.block_size)
    if not (blocks.abs() <= _LARGEST).all():
        raise UnstorableError
    pack = _PACKERS[kind.name]
    parts = [pack(part) for part in blocks.split(_CHUNK_BLOCKS)]
    return torch.cat(parts).reshape(*numbers.shape[:-1], row_bytes)


# Scales --------------------------------------------------------------------------------------


def _half(scale: Tensor) -> Tensor:
    """As float16 stores it."""
    return scale.half().float()


def _ratio(numbers: Tensor, scale: Tensor) -> Tensor:
    """``numbers / scale``, and 0 where the scale is."""
    return torch.where(scale == 0, 0.0, numbers / torch.where(scale == 0, 1.0, scale))


def _codes(numbers: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """The nearest multiples of ``scale``, uint8 from 0 for ``low``."""
    return (_ratio(numbers, scale).round().clamp(low, high) - low).to(torch.uint8)


def _furthest(numbers: Tensor) -> Tensor:
    """The number furthest from zero along the last axis, which stays with length 1."""
    return numbers.gather(-1, numbers.abs().argmax(-1, keepdim=True))


def _scaled(x_B16S: Tensor, low: int, scale_low: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shared scale ``[B, 1]``, whole scales ``[B, 16]`` and codes ``[B, 256]``."""
    wanted = _furthest(x_B16S)[..., 0] / low
    shared = _half(_furthest(wanted) / scale_low)
    scales = _ratio(wanted, shared).round().clamp(scale_low, -scale_low - 1)
    codes = _codes(x_B16S, (shared * scales)[..., None], low, -low - 1)
    return shared, scales, codes.flatten(1)


def _affine(x_BKS: Tensor, high: int, most: int) -> tuple[Tensor, ...]:
    """Shared scale and minimum ``[B, 1]``, whole ones ``[B, K]`` as uint8, codes ``[B, 256]``."""
    minimum = -x_BKS.amin(-1).clamp(max=0)
    wanted = (x_BKS.amax(-1) + minimum).clamp(min=0) / high
    shared, shared_minimum = (_half(v.amax(-1, keepdim=True) / most) for v in (wanted, minimum))
    scales = _ratio(wanted, shared).round().clamp(0, most)
    minima = _ratio(minimum, shared_minimum).round().clamp(0, most)
    lifted = x_BKS + (shared_minimum * minima)[..., None]
    codes = _codes(lifted, (shared * scales)[..., None], 0, high).flatten(1)
    return shared, shared_minimum, scales.to(torch.uint8), minima.to(torch.uint8), codes


# Bits into bytes -----------------------------------------------------------------------------


def _half_bytes(scale_B1: Tensor) -> Tensor:
    return scale_B1.half().contiguous().view(torch.uint8)


def _nibbles(codes: Tensor, width: int) -> Tensor:
    """Of every ``width`` codes the second half above the first, four bits of each."""
    pairs = codes.reshape(codes.shape[0], -1, 2, width // 2)
    return (pairs[:, :, 0] & 15 | pairs[:, :, 1] << 4).flatten(1)


def _bits(codes: Tensor, bit: int, width: int) -> Tensor:
    """One bit of each code: bytes hold ``width`` neighbours, or codes 256 / width apart."""
    places = torch.arange(8, dtype=torch.uint8)
    single = codes >> bit & 1
    if width == 8:
        return (single.view(-1, 4, 8) << places).sum(-1, dtype=torch.uint8)
    return (single.view(-1, 8, 32) << places[:, None]).sum(1, dtype=torch.uint8)


def _pairs_of_bits(codes_B256: Tensor) -> Tensor:
    """The lowest two bits of each code: a byte holds four that are 32 apart."""
    places = torch.arange(0, 8, 2, dtype=torch.uint8)[:, None]
    quarters = (codes_B256 & 3).view(-1, 2, 4, 32) << places
    return quarters.sum(2, dtype=torch.uint8).flatten(1)


# Types ---------------------------------------------------------------------------------------


def _block_of_32(bits: int, *, affine: bool) -> Callable[[Tensor], Tensor]:
    def pack(x_B32: Tensor) -> Tensor:
        if affine:
            low, high = x_B32.amin(-1, keepdim=True), (1 << bits) - 1
            scale = (x_B32.amax(-1, keepdim=True) - low) / high
            codes = _codes(x_B32 - _half(low), _half(scale), 0, high)
            head = [_half_bytes(scale), _half_bytes(low)]
        else:
            half = 1 << bits - 1
            scale = _furthest(x_B32) / -half
            codes = _codes(x_B32, _half(scale), -half, half - 1)
            head = [_half_bytes(scale)]
        fifth = [_bits(codes, 4, 8)] if bits == 5 else []
        return torch.cat((*head, *fifth, _nibbles(codes, 32)), dim=1)

    return pack


def _pack_q8_0(x_B32: Tensor) -> Tensor:
    scale = x_B32.abs().amax(-1, keepdim=True) / 127
    whole = _ratio(x_B32, torch.where(_half(scale) == 0, 0.0, scale))
    # Halves away from zero, where torch.round would take the even neighbour.
    codes = (whole + torch.copysign(torch.tensor(0.5), whole)).trunc().to(torch.int8)
    return torch.cat((_half_bytes(scale), codes.view(torch.uint8)), dim=1)


def _pack_iq4_nl(x_B32: Tensor) -> Tensor:
    values = torch.tensor(_NON_LINEAR, dtype=torch.float32)
    scale = _furthest(x_B32) / values[0]
    codes = torch.bucketize(_ratio(x_B32, _half(scale)), (values[1:] + values[:-1]) / 2)
    return torch.cat((_half_bytes(scale), _nibbles(codes.to(torch.uint8), 32)), dim=1)


def _pack_q2_k(x_B256: Tensor) -> Tensor:
    scale, minimum, scales, minima, codes = _affine(x_B256.view(-1, 16, 16), 3, 15)
    parts = (scales | minima << 4, _pairs_of_bits(codes), _half_bytes(scale), _half_bytes(minimum))
    return torch.cat(parts, dim=1)


def _pack_q3_k(x_B256: Tensor) -> Tensor:
    scale, signed, codes = _scaled(x_B256.view(-1, 16, 16), -4, -32)
    scales = (signed + 32).to(torch.uint8)
    lower = scales[:, :8] & 15 | (scales[:, 8:] & 15) << 4
    places = torch.arange(0, 8, 2, dtype=torch.uint8)[:, None]
    upper = ((scales >> 4).view(-1, 4, 4) << places).sum(1, dtype=torch.uint8)
    head = (_bits(codes, 2, 32), _pairs_of_bits(codes))
    return torch.cat((*head, lower, upper, _half_bytes(scale)), dim=1)


def _pack_q6_k(x_B256: Tensor) -> Tensor:
    scale, signed, codes = _scaled(x_B256.view(-1, 16, 16), -32, -128)
    scales = signed.to(torch.int8).view(torch.uint8)
    return torch.cat(
        (_nibbles(codes, 128), _pairs_of_bits(codes >> 4), scales, _half_bytes(scale)), dim=1
    )


def _k_with_six_bit_scales(bits: int) -> Callable[[Tensor], Tensor]:
    def pack(x_B256: Tensor) -> Tensor:
        high = (1 << bits) - 1
        scale, minimum, s, m, codes = _affine(x_B256.view(-1, 8, 32), high, 63)
        scales = (
            s[:, :4] | s[:, 4:] >> 4 << 6,
            m[:, :4] | m[:, 4:] >> 4 << 6,
            s[:, 4:] & 15 | (m[:, 4:] & 15) << 4,
        )
        fifth = [_bits(codes, 4, 32)] if bits == 5 else []
        head = (_half_bytes(scale), _half_bytes(minimum))
        return torch.cat((*head, *scales, *fifth, _nibbles(codes, 64)), dim=1)

    return pack


_PACKERS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "Q4_0": _block_of_32(4, affine=False),
        "Q4_1": _block_of_32(4, affine=True),
        "Q5_0": _block_of_32(5, affine=False),
        "Q5_1": _block_of_32(5, affine=True),
        "Q8_0": _pack_q8_0,
        "IQ4_NL": _pack_iq4_nl,
        "Q2_K": _pack_q2_k,
        "Q3_K": _pack_q3_k,
        "Q4_K": _k_with_six_bit_scales(4),
        "Q5_K": _k_with_six_bit_scales(5),
        "Q6_K": _pack_q6_k,
    }
)
QUANTISABLE_TYPES = tuple(_PACKERS)
