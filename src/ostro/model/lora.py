"""Adapters: low-rank additions to a model's matrices, row by row (Hu et al., 2021).

Rows of a step may belong to different adapters, or to none: base weights are shared and never
change. :mod:`ostro.kernels.lora` has the formula; files are read in the ``weights`` room.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.errors import OstroError
from ostro.kernels.lora import ExpertLowRank, LowRank, adapted
from ostro.kernels.native_rows import NativeLowRanks

Projection = Literal["query", "key", "value", "output"]
"""The matrices of attention."""


@dataclass(frozen=True, eq=False)
class LayerAdapter:
    """What an adapter adds to one layer; None: nothing."""

    experts: tuple[ExpertLowRank, ...]
    """One for each of the E experts; one in a dense layer."""
    query: LowRank | None = None
    key: LowRank | None = None
    value: LowRank | None = None
    output: LowRank | None = None

    @cached_property
    def native_attention(self) -> NativeLowRanks:
        """The additions to attention as the native kernels read them; made once."""
        return NativeLowRanks((self.query, self.key, self.value, self.output))

    @cached_property
    def native_experts(self) -> NativeLowRanks:
        """The additions to the experts as the native kernels read them; made once."""
        return NativeLowRanks([x for e in self.experts for x in (e.gate, e.up, e.down)])


@dataclass(frozen=True, eq=False)
class Adapter:
    """One adapter of a model. Two that hold the same numbers are still two."""

    name: str
    layers: tuple[LayerAdapter, ...]
    routers: tuple[Tensor, ...] = ()
    """Float32 ``[E, D]`` for each layer, in place of the model's own; empty: those stay."""

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        added = sum(x.a_RI.numel() + x.b_OR.numel() for x in self._additions())
        return added + sum(router_ED.numel() for router_ED in self.routers)

    def _additions(self) -> Iterator[LowRank]:
        for layer in self.layers:
            parts = [layer.query, layer.key, layer.value, layer.output]
            parts += [x for e in layer.experts for x in (e.gate, e.up, e.down)]
            yield from (part for part in parts if part is not None)


class Adapters:
    """The adapters of one model, by name."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._by_name: dict[str, Adapter] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Those there are, in the order in which they came."""
        return tuple(self._by_name)

    def add(self, adapter: Adapter) -> None:
        """Take an adapter in.

        Refused are a name that is taken, an adapter of another model, and one with routers: rows of
        a step share the model's.
        """
        if adapter.routers:
            raise OstroError(
                f"adapter {adapter.name!r} has routers of its own, which can't be put beside a "
                "model's; merge it: ostro convert MODEL OUT --adapter FOLDER --type TYPE"
            )
        if adapter.name in self._by_name:
            raise OstroError(f"there is an adapter {adapter.name!r} already; remove it first")
        if len(adapter.layers) != self._geometry.num_layers:
            raise OstroError(
                f"adapter {adapter.name!r} has {len(adapter.layers)} layers and the model "
                f"{self._geometry.num_layers}; it was made for another model"
            )
        self._by_name[adapter.name] = adapter

    def remove(self, name: str) -> None:
        """Forget an adapter. Requests that use it keep it until they end."""
        del self._by_name[self.get(name).name]

    def get(self, name: str) -> Adapter:
        """The adapter of this name."""
        if name not in self._by_name:
            there = ", ".join(self._by_name) or "none"
            raise OstroError(f"there is no adapter {name!r}; there are: {there}")
        return self._by_name[name]


@dataclass(frozen=True)
class RowAdapters:
    """The adapters of a step's rows in one layer, for the plain PyTorch operations."""

    groups: Sequence[tuple[Tensor, LayerAdapter | None]]
    """Every row is in one group: the rows' numbers, and their adapter."""
    order_T: Tensor
    """The place of each row when the groups stand one after another."""

    def add(self, name: Projection, y_TO: Tensor, x_TI: Tensor) -> Tensor:
        """``y_TO``, the product of ``x_TI`` with a matrix of attention, and what is added to it."""

        def compute(rows: Tensor | slice, adapter: LayerAdapter | None) -> Tensor:
            addition = None if adapter is None else getattr(adapter, name)
            return adapted(y_TO[rows], x_TI[rows], addition)

        return by_adapter(self, compute)


def by_adapter(
    adapters: RowAdapters | None,
    compute: Callable[[Tensor | slice, LayerAdapter | None], Tensor],
) -> Tensor:
    """Compute rows with the same adapter together: ``[T, ...]``, in the order of the rows.

    ``compute`` is given the numbers of some rows, and their adapter.
    """
    if adapters is None:
        return compute(slice(None), None)
    if len(adapters.groups) == 1:  # All rows, in their order.
        return compute(slice(None), adapters.groups[0][1])
    parts = [compute(rows, adapter) for rows, adapter in adapters.groups]
    return torch.cat(parts)[adapters.order_T]
