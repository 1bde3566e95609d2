"""A random mixture for tests: in packed form and as numbers."""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from ostro.kernels.experts import mix_experts
from ostro.kernels.lora import ExpertLowRank
from ostro.kernels.native import NativeContext, PackedExperts
from ostro.kernels.native_rows import NativeAdapters, native_steering
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.router import RowRules, route
from ostro.kernels.structures import Expert, ExpertsLayer, Matrix
from random_blocks import Packed

D, F, E, EPS = 256, 512, 8, 1e-5


class Layer:
    """One random mixture, in packed form and as numbers."""

    def __init__(
        self,
        context: NativeContext,
        kind: str,
        *,
        top_k: int = 2,
        router: Tensor | None = None,
        precise: bool = False,
        ffn_dim: int = F,
    ) -> None:
        self.context, self.top_k, self.fetched = context, top_k, []
        self.packed = [
            [
                Packed(context, kind, ffn_dim, D, 3 * e),
                Packed(context, kind, ffn_dim, D, 3 * e + 1),
                Packed(context, kind, D, ffn_dim, 3 * e + 2),
            ]
            for e in range(E)
        ]
        self.norm = torch.rand(D, generator=torch.Generator().manual_seed(9)) / 8
        generator = torch.Generator().manual_seed(8)
        self.router = torch.randn(E, D, generator=generator) if router is None else router
        self.packed_router = torch.empty(context.packed_bytes("F32", E, D), dtype=torch.uint8)
        context.pack("F32", self.router.contiguous(), E, D, self.packed_router.data_ptr())
        self.experts = (Expert * E)()
        for expert, packed in zip(self.experts, self.packed, strict=True):
            expert.gate, expert.up, expert.down = (self._absent(p.matrix) for p in packed)
        struct = ExpertsLayer(
            self.norm.data_ptr(),
            self.packed_router.data_ptr(),
            ctypes.cast(self.experts, ctypes.POINTER(Expert)),
            EPS,
            D,
            ffn_dim,
            E,
            top_k,
            precise,
        )
        self.layer = PackedExperts(struct, self.experts, self._fetch)
        self.layer.keeps_routing = True

    @staticmethod
    def _absent(matrix: Matrix) -> Matrix:
        return Matrix(None, matrix.type, matrix.rows, matrix.columns)

    def _fetch(self, numbers) -> None:
        self.fetched += numbers
        for number in numbers:
            self.experts[number] = Expert(*(p.matrix for p in self.packed[number]))

    def run(
        self,
        x: Tensor,
        rules: RowRules | None = None,
        adapters: NativeAdapters | None = None,
    ) -> Tensor:
        """The native kernel on a copy of ``x``."""
        out = x.clone()
        steering = None if rules is None else native_steering(rules)
        self.context.experts_layer(self.layer, out, steering, adapters)
        return out

    def twin(
        self,
        x: Tensor,
        rules: RowRules | None = None,
        adapter: Sequence[ExpertLowRank] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The same by plain PyTorch on the numbers, all rows with one adapter; chosen experts."""
        h = rms_norm(x, self.norm, EPS)
        chosen, weights = route(h, self.router, self.top_k, rules)
        gate_up = torch.stack([torch.cat((g.numbers, u.numbers)) for g, u, _ in self.packed])
        down = torch.stack([d.numbers for _, _, d in self.packed])
        return x + mix_experts(h, chosen, weights, gate_up, down, adapter), chosen


def random_rows(rows: int, seed: int = 0) -> Tensor:
    """Activations ``[rows, D]``."""
    return torch.randn(rows, D, generator=torch.Generator().manual_seed(seed))
