"""Steering: what a request wants of the router, for research on what the experts do.

In each layer a request may force experts (they are always among the chosen), forbid some, choose
its own K, and multiply the weights of some. The router's logits stay what they are: the choice is
made among what is left, softmax runs over the K chosen, and then the weights are multiplied. They
are not normalised again, so a factor below 1 takes something away and puts nothing in its place.

:func:`ostro.kernels.router.route` says it in PyTorch.
"""

import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ostro.config import Geometry
from ostro.errors import OstroError
from ostro.kernels.router import RouterRule

# One way to write a number, so that no two keys of a table mean the same.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, kw_only=True)
class LayerSteering:
    """What is wanted of one layer's router. Experts are numbered from 0."""

    force: Collection[int] = frozenset()
    forbid: Collection[int] = frozenset()
    reweight: Mapping[int, float] = field(default_factory=dict, hash=False)
    """Factors by expert: any finite number; with 0 an expert is computed and adds nothing."""
    top_k: int | None = None
    """How many experts a token uses; None: as many as the model's own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "force", frozenset(self.force))
        object.__setattr__(self, "forbid", frozenset(self.forbid))
        object.__setattr__(self, "reweight", MappingProxyType(dict(self.reweight)))

    def to_dict(self) -> dict[str, Any]:
        """The table that :func:`parse_steering` reads, in JSON's plain values."""
        reweight = {str(expert): factor for expert, factor in sorted(self.reweight.items())}
        table = {"force": sorted(self.force), "forbid": sorted(self.forbid), "reweight": reweight}
        kept: dict[str, Any] = {key: value for key, value in table.items() if value}
        return kept if self.top_k is None else kept | {"top_k": self.top_k}

    def rule(self, geometry: Geometry, where: str) -> RouterRule:
        """The rule for a layer of this model. An OstroError begins with ``where``."""
        experts, top_k = geometry.num_experts, self.top_k
        top_k = geometry.top_k if top_k is None else top_k
        if not _is_whole(top_k) or not 1 <= top_k <= experts:
            raise OstroError(f"{where}: top_k must be 1 to {experts}, not {top_k!r}")
        for expert in (*self.force, *self.forbid, *self.reweight):
            if not _is_whole(expert) or not 0 <= expert < experts:
                raise OstroError(
                    f"{where}: there is no expert {expert!r}; they are 0 to {experts - 1}"
                )
        self._check_choice(top_k, experts, where)
        factors = None
        if self.reweight:
            factors = tuple(_factor(self.reweight.get(e, 1.0), where) for e in range(experts))
        allowed = _bits(set(range(experts)) - set(self.forbid))
        return RouterRule(allowed, _bits(self.force), top_k, factors)

    def _check_choice(self, top_k: int, experts: int, where: str) -> None:
        both = sorted(set(self.force) & set(self.forbid))
        if both:
            raise OstroError(f"{where}: expert {both[0]} is both forced and forbidden")
        if len(self.force) > top_k:
            raise OstroError(
                f"{where}: {len(self.force)} experts are forced and top_k is {top_k}; "
                "force fewer, or give a larger top_k"
            )
        left = experts - len(self.forbid)
        if left < top_k:
            raise OstroError(
                f"{where}: {len(self.forbid)} of {experts} experts are forbidden, which leaves "
                f"{left}, and top_k is {top_k}; forbid fewer, or give a smaller top_k"
            )


@dataclass(frozen=True, kw_only=True)
class Steering:
    """What is wanted in every layer. Equal ones are equal, and may be keys."""

    default: LayerSteering = LayerSteering()
    layers: Mapping[int, LayerSteering] = field(default_factory=dict, hash=False)
    """Layers, numbered from 0, that want something else; the default then says nothing there."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))

    def to_dict(self) -> dict[str, Any]:
        """The table that :func:`parse_steering` reads, in JSON's plain values."""
        layers = {str(layer): steering.to_dict() for layer, steering in sorted(self.layers.items())}
        return self.default.to_dict() | ({"layers": layers} if layers else {})

    def rules(self, geometry: Geometry) -> tuple[RouterRule, ...]:
        """A rule for each layer. What cannot be is an OstroError that says where and why."""
        count = geometry.num_layers
        if not geometry.is_sparse:
            raise OstroError("steering: this model is dense and has no router; leave steering out")
        for layer in self.layers:
            if not _is_whole(layer) or not 0 <= layer < count:
                raise OstroError(
                    f"steering: there is no layer {layer!r}; they are 0 to {count - 1}"
                )
        default = self.default.rule(geometry, "steering")
        own = {
            layer: steering.rule(geometry, f"steering, layer {layer}")
            for layer, steering in self.layers.items()
        }
        return tuple(own.get(layer, default) for layer in range(count))


def parse_steering(values: Mapping[str, Any]) -> Steering:
    """Steering as a JSON table says it; an unknown key or a wrong type is an OstroError.

    ``{"force": [3], "forbid": [0], "reweight": {"3": 0.5}, "top_k": 3, "layers": {"7": {...}}}``,
    where every key may be left out and a layer has the same keys but ``layers``.
    """
    layers = _table(values.get("layers", {}), "layers")
    default = {key: value for key, value in values.items() if key != "layers"}
    return Steering(
        default=_layer_steering(default, "steering"),
        layers={
            _number(layer, "layers"): _layer_steering(
                _table(table, f"layers: {layer}"), f"steering, layer {layer}"
            )
            for layer, table in layers.items()
        },
    )


def _layer_steering(values: Mapping[str, Any], where: str) -> LayerSteering:
    unknown = sorted(set(values) - {"force", "forbid", "reweight", "top_k"})
    if unknown:
        raise OstroError(
            f"{where}: unknown key {unknown[0]!r}; there are force, forbid, reweight and top_k"
        )
    reweight = _table(values.get("reweight", {}), "reweight")
    top_k = values.get("top_k")
    if top_k is not None and not _is_whole(top_k):
        raise OstroError(f"{where}: top_k must be a whole number, not {top_k!r}")
    return LayerSteering(
        force=_numbers(values.get("force", ()), "force"),
        forbid=_numbers(values.get("forbid", ()), "forbid"),
        reweight={_number(e, "reweight"): _factor(f, where) for e, f in reweight.items()},
        top_k=top_k,
    )


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OstroError(f"steering: {name} must be a table, not {value!r}")
    return value


def _numbers(value: Any, name: str) -> Collection[int]:
    if not isinstance(value, list | tuple) or not all(_is_whole(number) for number in value):
        raise OstroError(f"steering: {name} must be a list of whole numbers, not {value!r}")
    return value


def _number(key: Any, name: str) -> int:
    """The number that a JSON table's key, always a string there, stands for."""
    text = str(key)
    if not _NUMBER.fullmatch(text):
        raise OstroError(f"steering: the keys of {name} must be whole numbers, not {key!r}")
    return int(text)


def _factor(value: Any, where: str) -> float:
    # The comparison also refuses a whole number that float64 cannot hold.
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:
        raise OstroError(f"{where}: a factor of reweight must be a finite number, not {value!r}")
    return float(value)


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _bits(experts: Iterable[int]) -> int:
    return sum(1 << expert for expert in experts)
