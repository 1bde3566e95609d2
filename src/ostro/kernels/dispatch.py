"""Which implementation of each operation runs: one table, built once and given to the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ostro.config import RopeScaling
from ostro.kernels import training_ops
from ostro.kernels.attention import Span, append_kv, paged_attention
from ostro.kernels.experts import mix_experts
from ostro.kernels.grouped_experts import mix_experts_grouped
from ostro.kernels.linear import linear
from ostro.kernels.lora import ExpertLowRank
from ostro.kernels.packed_attention import packed_attention
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.rope import rope_angles, rotate
from ostro.kernels.router import RowRules, route
from ostro.kernels.swiglu import swiglu
from ostro.kernels.vocabulary import largest, summarise


@dataclass(frozen=True)
class Kernels:
    """The operations that a model calls. Each field has the signature of the twin it is set to."""

    name: str
    linear: Callable[[Tensor, Tensor], Tensor] = linear
    rms_norm: Callable[[Tensor, Tensor, float], Tensor] = rms_norm
    rope_angles: Callable[[Tensor, int, float, RopeScaling | None], tuple[Tensor, Tensor]] = (
        rope_angles
    )
    rotate: Callable[[Tensor, Tensor, Tensor], Tensor] = rotate
    swiglu: Callable[[Tensor, Tensor, Tensor, ExpertLowRank | None], Tensor] = swiglu
    route: Callable[[Tensor, Tensor, int, RowRules | None], tuple[Tensor, Tensor]] = route
    mix_experts: Callable[
        [Tensor, Tensor, Tensor, Tensor, Tensor, Sequence[ExpertLowRank] | None], Tensor
    ] = mix_experts
    append_kv: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], None] = append_kv
    paged_attention: Callable[[Tensor, Tensor, Tensor, Sequence[Span], int | None], Tensor] = (
        paged_attention
    )
    packed_attention: Callable[[Tensor, Tensor, Tensor, Sequence[int], int | None], Tensor] = (
        packed_attention
    )
    summarise: Callable[[Tensor, float], tuple[int, float]] = summarise
    largest: Callable[[Tensor, int], tuple[Tensor, Tensor]] = largest


def torch_kernels() -> Kernels:
    """The plain PyTorch twins: they run on any device and under autograd."""
    return Kernels(name="torch")


def training_kernels(*, compiled: bool = False) -> Kernels:
    """PyTorch operations for many rows at a time, forward and backward.

    ``compiled`` has torch.compile fuse those that only move numbers; products gain nothing by it.
    """
    kernels = Kernels(name="training", mix_experts=mix_experts_grouped, rotate=training_ops.rotate)
    if not compiled:
        return kernels
    return replace(
        kernels,
        rms_norm=torch.compile(rms_norm, dynamic=True),
        rotate=torch.compile(rotate, dynamic=True),
    )
