"""A random attention layer for tests: in packed form and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.kernels.attention import Span
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.lora import LowRank, adapted
from ostro.kernels.native import NativeContext
from ostro.kernels.native_rows import NativeAdapters
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.rope import rope_angles, rotate
from ostro.kernels.structures import AttentionLayer
from ostro.model.cache import PAGE_SLOTS, PagedKVCache
from random_blocks import Packed

EPS, THETA = 1e-5, 1e4


@dataclass
class Layer:
    """One random layer, in packed form and as numbers."""

    context: NativeContext
    kind: str = "F32"
    dim: int = 256
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 32
    window: int | None = None
    struct: AttentionLayer = field(init=False)

    def __post_init__(self) -> None:
        query, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        if self.kind.endswith("_K"):  # The output's rows must be whole blocks.
            self.heads, query = 8, 256
        shapes = ((query, self.dim), (kv, self.dim), (kv, self.dim), (self.dim, query))
        self.packed = [
            Packed(self.context, self.kind, rows, columns, seed)
            for seed, (rows, columns) in enumerate(shapes)
        ]
        self.norm = torch.rand(self.dim, generator=torch.Generator().manual_seed(9)) / 8
        self.struct = AttentionLayer(
            *(packed.matrix for packed in self.packed),
            self.norm.data_ptr(),
            EPS,
            self.heads,
            self.kv_heads,
            self.head_dim,
            self.window or 0,
        )

    def cache(self, pages: int, kind: str) -> PagedKVCache:
        geometry = Geometry(
            vocab_size=8,
            dim=self.dim,
            num_layers=1,
            num_heads=self.heads,
            num_kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            ffn_dim=8,
            context_length=4096,
            sliding_window=self.window,
        )
        return PagedKVCache(
            geometry, torch_kernels(), num_pages=pages, kind=kind, device=torch.device("cpu")
        )

    def angles(self, spans: list[Span]) -> tuple[Tensor, Tensor]:
        news = [span.rows.stop - span.rows.start for span in spans]
        positions = [
            torch.arange(span.length - new, span.length)
            for span, new in zip(spans, news, strict=True)
        ]
        return rope_angles(torch.cat(positions), self.head_dim, THETA)

    def run(
        self,
        x_TD: Tensor,
        cache: PagedKVCache,
        spans: list[Span],
        adapters: NativeAdapters | None = None,
    ) -> Tensor:
        """The layer on a copy of ``x_TD``."""
        step = cache.step(spans).native_step(*self.angles(spans))
        out = x_TD.clone()
        self.context.attention_layer(self.struct, out, step, cache.layer_pages[0], adapters)
        return out

    def twin(
        self,
        x_TD: Tensor,
        cache: PagedKVCache,
        spans: list[Span],
        adapter: Sequence[LowRank | None] = (None,) * 4,
    ) -> Tensor:
        """The same by plain PyTorch on the numbers, all rows with one adapter."""
        w = [packed.numbers for packed in self.packed]
        angles, step = self.angles(spans), cache.step(spans)
        h = rms_norm(x_TD, self.norm, EPS)
        q, k, v = (adapted(h @ w[i].T, h, adapter[i]) for i in range(3))
        q, k, v = (t.unflatten(-1, (-1, self.head_dim)) for t in (q, k, v))
        step.append(0, rotate(k, *angles), v)
        mixed = step.attend(0, rotate(q, *angles)).flatten(1)
        return x_TD + adapted(mixed @ w[3].T, mixed, adapter[3])


def random_rows(rows: int, columns: int, seed: int = 0) -> Tensor:
    """Activations ``[rows, columns]``."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def whole(length: int) -> list[Span]:
    """One sequence, all of whose tokens are new."""
    count = -(-length // PAGE_SLOTS)
    return [Span(slice(0, length), length, torch.arange(count).flip(0).contiguous())]
