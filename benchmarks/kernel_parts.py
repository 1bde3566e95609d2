"""Layers with random weights, in packed form and as the numbers of their twins."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, Geometry
from ostro.kernels.attention import Span
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.experts import mix_experts
from ostro.kernels.linear import linear
from ostro.kernels.lora import ExpertLowRank, LowRank, adapted
from ostro.kernels.native import TYPE_NUMBERS, NativeContext, NativeStep, PackedExperts
from ostro.kernels.native_rows import (
    NativeAdapters,
    NativeLowRanks,
    NativeSteering,
    native_adapters,
)
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.rope import rope_angles, rotate
from ostro.kernels.router import RouterRule, RowRules, route
from ostro.kernels.structures import AttentionLayer, Expert, ExpertsLayer, Matrix
from ostro.model import PAGE_SLOTS, PagedKVCache
from ostro.weights.quantise import to_dense
from ostro.weights.slots import Slot
from ostro.weights.stored import DTYPE_OF_TYPE, StoredTensor
from ostro.weights.synthesize import Synthetic

EPS = 1e-5
RANK = 16
"""Of adapters."""


@dataclass
class Packed:
    """One matrix: as GGUF stores it, packed, and as the dense numbers that plain PyTorch wants."""

    context: NativeContext
    stored: StoredTensor
    data: Tensor = field(init=False)
    matrix: Matrix = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = self.stored.shape
        kind = self.stored.type.name
        # A window into a pool of blocks is no memory of its own.
        self.stored = StoredTensor(self.stored.type, self.stored.data.contiguous())
        self.data = torch.empty(self.context.packed_bytes(kind, rows, columns), dtype=torch.uint8)
        self.matrix = Matrix(self.data.data_ptr(), TYPE_NUMBERS[kind], rows, columns)
        self.pack()

    def pack(self) -> None:
        """From GGUF rows to the packed form."""
        rows, columns = self.stored.shape
        kind, target = self.stored.type.name, self.data.data_ptr()
        self.context.pack(kind, self.stored.data, rows, columns, target)

    def dense(self) -> Tensor:
        """What a model holds where the native kernels do not run: itself if dense, else F16."""
        return to_dense(self.stored, DTYPE_OF_TYPE.get(self.stored.type.name, torch.float16))


def low_rank(rows: int, columns: int) -> LowRank:
    """A random addition to a matrix."""
    return LowRank(torch.randn(RANK, columns) / columns**0.5, torch.randn(rows, RANK) / 8, 1.0)


def source(geometry: Geometry, kind: str) -> Synthetic:
    """Random weights of one layer of a geometry."""
    return Synthetic(replace(geometry, num_layers=1), WEIGHT_TYPES[kind])


class Mixture:
    """The expert half of a layer. ``x`` of :meth:`even` gives every expert as many rows."""

    def __init__(self, context: NativeContext, geometry: Geometry, kind: str) -> None:
        self.context, self.geometry = context, geometry
        weights = source(geometry, kind)
        names = ("gate", "up", "down")
        self.packed = [
            [Packed(context, weights.read(Slot(name, 0, e))) for name in names]
            for e in range(geometry.num_experts)
        ]
        # Column e of the activations alone decides about expert e.
        self.router = torch.eye(geometry.num_experts, geometry.dim)
        self.norm = torch.ones(geometry.dim)
        size = context.packed_bytes("F32", *self.router.shape)
        self._packed_router = torch.empty(size, dtype=torch.uint8)
        context.pack("F32", self.router, *self.router.shape, self._packed_router.data_ptr())
        experts = (Expert * geometry.num_experts)()
        for number, parts in enumerate(self.packed):
            experts[number] = Expert(*(part.matrix for part in parts))
        struct = ExpertsLayer(
            self.norm.data_ptr(),
            self._packed_router.data_ptr(),
            ctypes.cast(experts, ctypes.POINTER(Expert)),
            EPS,
            geometry.dim,
            geometry.ffn_dim,
            geometry.num_experts,
            geometry.top_k,
            False,  # Two-part activations, which narrow models take, are another kernel's cost.
        )
        self._layer = PackedExperts(struct, experts, self._nothing_to_fetch)

    @staticmethod
    def _nothing_to_fetch(numbers: object) -> None:
        raise AssertionError(f"all experts are in memory, {numbers} too")

    def even(self, rows: int) -> Tensor:
        """Activations that reach all experts in turn: ``rows * top_k / num_experts`` rows each."""
        g = self.geometry
        x_TD = torch.randn(rows, g.dim, generator=torch.Generator().manual_seed(rows))
        x_TD[:, : g.num_experts] = 0
        for slot in range(g.top_k):
            chosen = (torch.arange(rows) * g.top_k + slot) % g.num_experts
            x_TD[torch.arange(rows), chosen] = 4.0
        return x_TD

    def rules(self, rows: int) -> RowRules:
        """Every other row uses one expert more, and the first one in any case."""
        g = self.geometry
        rule = RouterRule((1 << g.num_experts) - 1, 1, g.top_k + 1)
        return RowRules(torch.arange(rows, dtype=torch.int32) % 2 - 1, (rule,), g.top_k + 1)

    @cached_property
    def adapter(self) -> tuple[ExpertLowRank, ...]:
        """What an adapter adds to every expert."""
        dim, ffn = self.geometry.dim, self.geometry.ffn_dim
        return tuple(
            ExpertLowRank(low_rank(ffn, dim), low_rank(ffn, dim), low_rank(dim, ffn))
            for _ in range(self.geometry.num_experts)
        )

    def adapted_rows(self, rows: int) -> NativeAdapters | None:
        """All rows with that adapter."""
        parts = [x for expert in self.adapter for x in (expert.gate, expert.up, expert.down)]
        return native_adapters(torch.zeros(rows, dtype=torch.int32), [NativeLowRanks(parts)])

    def run(
        self,
        x_TD: Tensor,
        steering: NativeSteering | None = None,
        adapters: NativeAdapters | None = None,
    ) -> Tensor:
        """The native kernel, on a copy: it changes its rows, and then they would go elsewhere."""
        out = x_TD.clone()
        self.context.experts_layer(self._layer, out, steering, adapters)
        return out

    @cached_property
    def dense(self) -> tuple[Tensor, Tensor]:
        """The experts' dense numbers, stacked as the twin wants them."""
        gate_up = [torch.cat((g.dense(), u.dense())) for g, u, _ in self.packed]
        return torch.stack(gate_up), torch.stack([down.dense() for _, _, down in self.packed])

    def twin(
        self,
        x_TD: Tensor,
        rules: RowRules | None = None,
        adapter: Sequence[ExpertLowRank] | None = None,
    ) -> Tensor:
        """The same by plain PyTorch."""
        gate_up, down = self.dense
        h_TD = rms_norm(x_TD, self.norm, EPS)
        experts, weights = route(h_TD, self.router, self.geometry.top_k, rules)
        return x_TD + mix_experts(h_TD.to(down.dtype), experts, weights, gate_up, down, adapter)


class Attention:
    """The attention half of a layer over a cache with ``length`` tokens of one sequence."""

    def __init__(
        self, context: NativeContext, geometry: Geometry, kind: str, cache_kind: str, length: int
    ) -> None:
        self.context, self.geometry, self.length = context, replace(geometry, num_layers=1), length
        weights = source(geometry, kind)
        names = ("query", "key", "value", "output")
        self.packed = [Packed(context, weights.read(Slot(name, 0))) for name in names]
        self.norm = torch.ones(geometry.dim)
        self._pages = torch.arange(-(-length // PAGE_SLOTS))
        self._cache = self._filled(cache_kind)
        # The twin reads no 8-bit cache; a model without native kernels keeps F16 then.
        self._twin_cache = self._filled("F16" if cache_kind == "Q8_0" else cache_kind)
        self._struct = AttentionLayer(
            *(part.matrix for part in self.packed),
            self.norm.data_ptr(),
            EPS,
            geometry.num_heads,
            geometry.num_kv_heads,
            geometry.head_dim,
            geometry.sliding_window or 0,
        )
        self._dense = [part.dense() for part in self.packed]
        self._steps: dict[int, NativeStep] = {}

    def _filled(self, kind: str) -> PagedKVCache:
        cache = PagedKVCache(
            self.geometry,
            torch_kernels(),
            num_pages=len(self._pages),
            kind=kind,
            device=torch.device("cpu"),
        )
        for tensor in (cache.keys, cache.values):
            values = torch.randn(tensor.shape) * (32 if kind == "Q8_0" else 1)
            tensor.copy_(values.to(tensor.dtype))
        for scales in (cache.key_scales, cache.value_scales):
            scales.fill_(1 / 32)
        return cache

    def rows(self, count: int) -> Tensor:
        """Activations of the ``count`` newest tokens."""
        return torch.randn(count, self.geometry.dim)

    @cached_property
    def adapter(self) -> tuple[LowRank, ...]:
        """What an adapter adds to query, key, value and output."""
        return tuple(low_rank(*part.stored.shape) for part in self.packed)

    def adapted_rows(self, rows: int) -> NativeAdapters | None:
        """All rows with that adapter."""
        numbers_T = torch.zeros(rows, dtype=torch.int32)
        return native_adapters(numbers_T, [NativeLowRanks(self.adapter)])

    def run(self, x_TD: Tensor, adapters: NativeAdapters | None = None) -> Tensor:
        """The native kernel, on a copy; rows are the newest tokens."""
        out, count = x_TD.clone(), len(x_TD)
        # All layers of a model share one description of the step.
        if count not in self._steps:
            self._steps[count] = self._native_step(count)
        step = self._steps[count]
        pages = self._cache.layer_pages[0]
        self.context.attention_layer(self._struct, out, step, pages, adapters)
        return out

    def _spans(self, count: int) -> list[Span]:
        return [Span(slice(0, count), self.length, self._pages)]

    def _angles(self, count: int) -> tuple[Tensor, Tensor]:
        positions_T = torch.arange(self.length - count, self.length)
        return rope_angles(positions_T, self.geometry.head_dim, self.geometry.rope_theta)

    def _native_step(self, count: int) -> NativeStep:
        return self._cache.step(self._spans(count)).native_step(*self._angles(count))

    def twin(self, x_TD: Tensor, adapter: Sequence[LowRank | None] = (None,) * 4) -> Tensor:
        """The same by plain PyTorch."""
        query, key, value, output = self._dense
        step, angles = self._twin_cache.step(self._spans(len(x_TD))), self._angles(len(x_TD))
        h_TD = rms_norm(x_TD, self.norm, EPS).to(query.dtype)
        q, k, v = (
            adapted(linear(h_TD, weight), h_TD, part).unflatten(-1, (-1, self.geometry.head_dim))
            for weight, part in zip((query, key, value), adapter[:3], strict=True)
        )
        step.append(0, rotate(k, *angles), v)
        mixed_TQ = step.attend(0, rotate(q, *angles)).flatten(1)
        return x_TD + adapted(linear(mixed_TQ, output), mixed_TQ, adapter[3])
