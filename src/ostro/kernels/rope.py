"""Rotary position embedding (Su et al., 2021), rotating the two halves of a head.

Pair j of a head is (x[j], x[j + d/2]); at position p it turns by the angle p * theta^(-2j/d).
This is Hugging Face's order; Mistral's and GGUF's files pair neighbours, and the ``weights`` room
permutes the rows of their query and key matrices, so that only this order exists here.

Scaling changes the angle from one position to the next, and YaRN the length of the turned vector;
both are the same for every position and every length of the context.
"""

import math

import torch
from torch import Tensor

from ostro.config import RopeScaling


def rope_frequencies(head_dim: int, theta: float, scaling: RopeScaling | None = None) -> Tensor:
    """By how much every pair turns from one position to the next: float32 ``[d/2]``."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32)
    powers = theta ** (exponents / head_dim)
    if scaling is None:
        return 1.0 / powers
    if scaling.kind == "linear":
        return 1.0 / powers / scaling.factor
    # Far away one rounding here is many in the angle: the order is that of the published code.
    kept = 1 - _slowed_share(head_dim, theta, scaling)
    return 1.0 / (scaling.factor * powers) * (1 - kept) + 1.0 / powers * kept


def rope_angles(
    positions_T: Tensor, head_dim: int, theta: float, scaling: RopeScaling | None = None
) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every pair's angle: two float32 tensors ``[T, 1, d/2]``.

    With YaRN both are multiplied by its magnitude.
    """
    frequencies = rope_frequencies(head_dim, theta, scaling).to(positions_T.device)
    angles = positions_T.to(torch.float32)[:, None, None] * frequencies
    return lengthened(angles.cos(), angles.sin(), scaling)


def lengthened(cos: Tensor, sin: Tensor, scaling: RopeScaling | None) -> tuple[Tensor, Tensor]:
    """Both times the scaling's magnitude; the same tensors where it is 1."""
    if scaling is None or scaling.magnitude == 1:
        return cos, sin
    return cos * scaling.magnitude, sin * scaling.magnitude


def rotate(x_THd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn every pair of every head; computed in float32, returned in the dtype of ``x_THd``."""
    first, second = x_THd.float().chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return turned.to(x_THd.dtype)


def _slowed_share(head_dim: int, theta: float, scaling: RopeScaling) -> Tensor:
    """YaRN's ramp over the pairs ``[d/2]``: 0 keeps a pair's frequency, 1 divides it."""
    first = _pair_that_turns(scaling.beta_fast, head_dim, theta, scaling)
    last = _pair_that_turns(scaling.beta_slow, head_dim, theta, scaling)
    if scaling.truncate:
        first, last = math.floor(first), math.ceil(last)
    # The bounds of the published code, which also counts up to d and not to the d/2 pairs.
    first, last = max(first, 0), min(last, head_dim - 1)
    width = last - first or 0.001
    pairs = torch.arange(head_dim // 2, dtype=torch.float32)
    return ((pairs - first) / width).clamp(0, 1)


def _pair_that_turns(times: float, head_dim: int, theta: float, scaling: RopeScaling) -> float:
    """Number of the pair that turns so many times in the original context, as a fraction.

    Solved for j: original_context * theta^(-2j/d) = 2 pi times.
    """
    assert scaling.original_context is not None
    ratio = scaling.original_context / (times * 2 * math.pi)
    return head_dim * math.log(ratio) / (2 * math.log(theta))
