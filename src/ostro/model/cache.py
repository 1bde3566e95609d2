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

PAGE_SLOTS = 32


class KVCache(Protocol):
    """One step's view of the cache."""

    def append(self, layer: int, k_TNd: Tensor, v_TNd: Tensor) -> None:
        """Remember the keys and values of the step's T tokens in ``layer``."""
        ...

    def attend(self, layer: int, q_THd: Tensor) -> Tensor:
        """What the T queries gather from their own sequences: ``[T, H, d]``."""
        ...


class PagedKVCache:
    """Pages of keys and values, ``[layers, P, N, S, d]`` each, shared by all sequences."""

    def __init__(
        self,
        geometry: Geometry,
        kernels: Kernels,
        *,
        num_pages: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        g = geometry
        self.kernels, self.window, self.num_pages = kernels, g.sliding_window, num_pages
        shape = (g.num_layers, num_pages, g.num_kv_heads, PAGE_SLOTS, g.head_dim)
        # Not zeroed: the system hands out memory as pages are first written.
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)

    def step(self, spans: Sequence[Span]) -> KVCache:
        """Bind the pages to one step; the spans' rows follow one another from 0."""
        return _Step(self, spans)


class _Step:
    def __init__(self, cache: PagedKVCache, spans: Sequence[Span]) -> None:
        self._cache, self._spans = cache, spans
        self._slots_T = torch.cat([_slots(span) for span in spans])

    def append(self, layer: int, k_TNd: Tensor, v_TNd: Tensor) -> None:
        cache = self._cache
        cache.kernels.append_kv(cache.keys[layer], k_TNd, self._slots_T)
        cache.kernels.append_kv(cache.values[layer], v_TNd, self._slots_T)

    def attend(self, layer: int, q_THd: Tensor) -> Tensor:
        cache = self._cache
        keys, values = cache.keys[layer], cache.values[layer]
        return cache.kernels.paged_attention(q_THd, keys, values, self._spans, cache.window)


def _slots(span: Span) -> Tensor:
    """The slots of a span's new tokens, which are the last of its sequence."""
    count = span.rows.stop - span.rows.start
    device = span.pages.device
    positions = torch.arange(span.length - count, span.length, device=device)
    return span.pages[positions // PAGE_SLOTS] * PAGE_SLOTS + positions % PAGE_SLOTS
