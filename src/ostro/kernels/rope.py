"""Rotary position embedding (Su et al., 2021), rotating the two halves of a head.

Pair j of a head is (x[j], x[j + d/2]); at position p it turns by the angle p * theta^(-2j/d).
This is Hugging Face's order; Mistral's and GGUF's files pair neighbours, and the ``weights`` room
permutes the rows of their query and key matrices, so that only this order exists here.
"""

import torch
from torch import Tensor


def rope_frequencies(head_dim: int, theta: float) -> Tensor:
    """By how much every pair turns from one position to the next: float32 ``[d/2]``."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32)
    return 1.0 / theta ** (exponents / head_dim)


def rope_angles(positions_T: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every pair's angle: two float32 tensors ``[T, 1, d/2]``."""
    frequencies = rope_frequencies(head_dim, theta).to(positions_T.device)
    angles = positions_T.to(torch.float32)[:, None, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x_THd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn every pair of every head; computed in float32, returned in the dtype of ``x_THd``."""
    first, second = x_THd.float().chunk(2, dim=-1)
    turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return turned.to(x_THd.dtype)
