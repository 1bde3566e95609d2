"""The KV cache: what attention remembers of earlier tokens, in pages, for many sequences at once.

The model sees only the :class:`KVCache` protocol: one step's rows in, attention out.
:class:`PagedKVCache` owns the pages; :meth:`PagedKVCache.step` binds them to the sequences of one
step. Who owns which page is decided in the ``engine`` room.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.kernels.attention import Span
from ostro.kernels.dispatch import Kernels
from ostro.kernels.native import TYPE_NUMBERS, NativeStep, native_step
from ostro.kernels.structures import Pages
from ostro.runtime.settings import TYPE_OF_DTYPE

PAGE_SLOTS = 32

CACHE_DTYPES = {name: dtype for dtype, name in TYPE_OF_DTYPE.items()} | {"Q8_0": torch.int8}


class KVCache(Protocol):
    """One step's view of the cache."""

    def append(self, layer: int, k_TNd: Tensor, v_TNd: Tensor) -> None:
        """Remember the keys and values of the step's T tokens in ``layer``."""
        ...

    def attend(self, layer: int, q_THd: Tensor) -> Tensor:
        """What the T queries gather from their own sequences: ``[T, H, d]``."""
        ...

    def native_step(self, cos: Tensor, sin: Tensor) -> NativeStep:
        """The step as the native kernels want it, which append and attend in one call."""
        ...

    def pages(self, layer: int) -> Pages:
        """A layer's pages, for the same call."""
        ...


class PagedKVCache:
    """Pages of keys ``[layers, P, N, d, S]`` and values ``[layers, P, N, S, d]``.

    ``kind`` is F32, F16, BF16, or Q8_0: 8 bits with a float32 scale for each slot and head, which
    the native kernels alone can read.
    """

    def __init__(
        self,
        geometry: Geometry,
        kernels: Kernels,
        *,
        num_pages: int,
        kind: str,
        device: torch.device,
    ) -> None:
        g = geometry
        self.kernels, self.window, self.num_pages = kernels, g.sliding_window, num_pages
        heads = (g.num_layers, num_pages, g.num_kv_heads)
        dtype = CACHE_DTYPES[kind]
        # Not zeroed: the system hands out memory as pages are first written.
        self.keys = torch.empty((*heads, g.head_dim, PAGE_SLOTS), dtype=dtype, device=device)
        self.values = torch.empty((*heads, PAGE_SLOTS, g.head_dim), dtype=dtype, device=device)
        scales = (*heads, PAGE_SLOTS) if kind == "Q8_0" else (g.num_layers, 0)
        self.key_scales = torch.empty(scales, device=device)
        self.value_scales = torch.empty(scales, device=device)
        self.layer_pages = [self._pages(layer, kind) for layer in range(g.num_layers)]

    def step(self, spans: Sequence[Span]) -> KVCache:
        """Bind the pages to one step; the spans' rows follow one another from 0."""
        return _Step(self, spans)

    def copy_page(self, source: int, target: int) -> None:
        """Copy the keys and values of all layers from one page to another."""
        for tensor in (self.keys, self.values, self.key_scales, self.value_scales):
            if tensor.numel():
                tensor[:, target] = tensor[:, source]

    def _pages(self, layer: int, kind: str) -> Pages:
        return Pages(
            self.keys[layer].data_ptr(),
            self.values[layer].data_ptr(),
            self.key_scales[layer].data_ptr(),
            self.value_scales[layer].data_ptr(),
            TYPE_NUMBERS[kind],
        )


class _Step:
    def __init__(self, cache: PagedKVCache, spans: Sequence[Span]) -> None:
        self._cache, self._spans = cache, spans
        self._slots_T: Tensor | None = None
        self._native: NativeStep | None = None

    def append(self, layer: int, k_TNd: Tensor, v_TNd: Tensor) -> None:
        cache = self._cache
        if self._slots_T is None:
            self._slots_T = torch.cat([_slots(span) for span in self._spans])
        cache.kernels.append_kv(cache.keys[layer], cache.values[layer], k_TNd, v_TNd, self._slots_T)

    def attend(self, layer: int, q_THd: Tensor) -> Tensor:
        cache = self._cache
        keys, values = cache.keys[layer], cache.values[layer]
        return cache.kernels.paged_attention(q_THd, keys, values, self._spans, cache.window)

    def native_step(self, cos: Tensor, sin: Tensor) -> NativeStep:
        if self._native is None:
            self._native = native_step(self._spans, cos, sin)
        return self._native

    def pages(self, layer: int) -> Pages:
        return self._cache.layer_pages[layer]


def _slots(span: Span) -> Tensor:
    """The slots of a span's new tokens, which are the last of its sequence."""
    count = span.rows.stop - span.rows.start
    device = span.pages.device
    positions = torch.arange(span.length - count, span.length, device=device)
    return span.pages[positions // PAGE_SLOTS] * PAGE_SLOTS + positions % PAGE_SLOTS
