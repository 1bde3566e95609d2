"""What single rows of a step want: how their tokens are routed, and which adapter they use.

:func:`row_options` checks once what a request asks for; :func:`step_options` puts together what the
requests of a step ask for. A step of which nobody asks anything has none, which costs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.kernels.attention import Span
from ostro.kernels.native_rows import (
    NativeAdapters,
    NativeSteering,
    native_adapters,
    native_steering,
)
from ostro.kernels.router import RouterRule, RowRules
from ostro.model.lora import Adapter, LayerAdapter, RowAdapters
from ostro.model.steering import Steering


@dataclass(frozen=True)
class RowOptions:
    """What one request wants of its rows. Requests whose options are equal may share a cache."""

    rules: tuple[RouterRule, ...] | None = None
    """How its tokens are routed, layer by layer."""
    adapter: Adapter | None = None
    """What is added to the model's matrices."""


def row_options(
    geometry: Geometry, steering: Steering | None = None, adapter: Adapter | None = None
) -> RowOptions | None:
    """Check what a request wants of this model; None if it wants nothing."""
    if steering is None and adapter is None:
        return None
    return RowOptions(None if steering is None else steering.rules(geometry), adapter)


class StepOptions:
    """What the T rows of one step want, layer by layer. Made by :func:`step_options`."""

    def __init__(self, steered: "_Steered | None", adapted: "_Adapted | None") -> None:
        self._steered, self._adapted = steered, adapted
        self._native: dict[int, NativeSteering] = {}

    def rules(self, layer: int) -> RowRules | None:
        """How rows are routed in ``layer``; None: all as the layer says."""
        return None if self._steered is None else self._steered.rules(layer)

    def native_rules(self, layer: int) -> NativeSteering | None:
        """The same for the native kernels."""
        rules = self.rules(layer)
        if rules is None:
            return None
        if layer not in self._native:
            self._native[layer] = native_steering(rules)
        return self._native[layer]

    def adapters(self, layer: int) -> RowAdapters | None:
        """Which rows use which adapter in ``layer``; None: no row uses any."""
        return None if self._adapted is None else self._adapted.layer(layer)

    def native_attention(self, layer: int) -> NativeAdapters | None:
        """The same for the native kernels, in the attention half of the layer."""
        if self._adapted is None:
            return None
        parts = [adapter.layers[layer].native_attention for adapter in self._adapted.adapters]
        return native_adapters(self._adapted.adapter_of_row_T, parts)

    def native_experts(self, layer: int) -> NativeAdapters | None:
        """The same in the expert half of the layer."""
        if self._adapted is None:
            return None
        parts = [adapter.layers[layer].native_experts for adapter in self._adapted.adapters]
        return native_adapters(self._adapted.adapter_of_row_T, parts)


class WholeStep(StepOptions):
    """Options under which all rows of a step use one adapter, as in training."""

    def __init__(self, layer: Callable[[int], LayerAdapter]) -> None:
        """``layer`` gives what is added to a layer; it is asked at every step."""
        super().__init__(None, None)
        self._layer = layer

    def adapters(self, layer: int) -> RowAdapters | None:
        """One group, of all rows."""
        none = torch.empty(0, dtype=torch.int64)
        return RowAdapters([(none, self._layer(layer))], none)


def step_options(
    spans: Sequence[Span], wanted: Sequence[RowOptions | None], geometry: Geometry
) -> StepOptions | None:
    """The options of a step from those of its spans' requests; None if nobody wants anything."""
    if all(options is None for options in wanted):
        return None
    steered = _steered(spans, [None if x is None else x.rules for x in wanted], geometry)
    adapted = _adapted(spans, [None if x is None else x.adapter for x in wanted])
    return StepOptions(steered, adapted)


@dataclass(frozen=True)
class _Steered:
    rule_of_row_T: Tensor
    layers: Sequence[tuple[RouterRule, ...]]
    """The rules of each layer."""
    slots: int

    def rules(self, layer: int) -> RowRules:
        return RowRules(self.rule_of_row_T, self.layers[layer], self.slots)


def _steered(
    spans: Sequence[Span],
    wanted: Sequence[tuple[RouterRule, ...] | None],
    geometry: Geometry,
) -> _Steered | None:
    rule_of_row_T, different = _numbered(spans, wanted)
    if not different:
        return None
    # One K for all layers, so that what is recorded of a step has one shape.
    slots = max(geometry.top_k, *(rule.top_k for rules in different for rule in rules))
    return _Steered(rule_of_row_T, list(zip(*different, strict=True)), slots)


@dataclass(frozen=True)
class _Adapted:
    adapter_of_row_T: Tensor
    adapters: Sequence[Adapter]

    def layer(self, layer: int) -> RowAdapters:
        numbers = self.adapter_of_row_T.unique().tolist()
        groups: list[tuple[Tensor, LayerAdapter | None]] = []
        for number in numbers:
            rows = (self.adapter_of_row_T == number).nonzero()[:, 0]
            groups.append((rows, None if number < 0 else self.adapters[number].layers[layer]))
        return RowAdapters(groups, torch.cat([rows for rows, _ in groups]).argsort())


def _adapted(spans: Sequence[Span], wanted: Sequence[Adapter | None]) -> _Adapted | None:
    adapter_of_row_T, different = _numbered(spans, wanted)
    return _Adapted(adapter_of_row_T, different) if different else None


_Thing = TypeVar("_Thing")


def _numbered(
    spans: Sequence[Span], wanted: Sequence[_Thing | None]
) -> tuple[Tensor, list[_Thing]]:
    """For each row the number of what it wants, -1 where it wants nothing; and what there is."""
    numbers: dict[int, int] = {}
    different: list[_Thing] = []
    number_of_row_T = torch.full((spans[-1].rows.stop,), -1, dtype=torch.int32)
    for span, thing in zip(spans, wanted, strict=True):
        if thing is None:
            continue
        if id(thing) not in numbers:
            numbers[id(thing)] = len(different)
            different.append(thing)
        number_of_row_T[span.rows] = numbers[id(thing)]
    return number_of_row_T, different
