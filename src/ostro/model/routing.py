"""Which experts the tokens of a step chose, and their weights: kept for whoever measures a model.

A slot that a row did not use, since another row of the step uses more experts, has expert -1 and
weight 0.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import Tensor

from ostro.kernels.native import PackedExperts
from ostro.kernels.router import RowRules
from ostro.model.mixtral import Block, Mixtral, MixtureOfExperts


class _PackedLayer:
    """A layer whose native call writes the choices down itself."""

    def __init__(self, experts: PackedExperts) -> None:
        self._experts = experts

    def kept(self) -> tuple[Tensor, Tensor]:
        assert self._experts.routing is not None, "no step was made yet"
        return self._experts.routing

    def start(self) -> None:
        self._experts.keeps_routing = True

    def stop(self) -> None:
        self._experts.keeps_routing, self._experts.routing = False, None


class _PlainLayer:
    """A layer that is given a router which writes down what the model's own router chose."""

    def __init__(self, mixture: MixtureOfExperts) -> None:
        self._mixture, self._kernels = mixture, mixture.kernels
        self._kept: tuple[Tensor, Tensor] | None = None

    def kept(self) -> tuple[Tensor, Tensor]:
        assert self._kept is not None, "no step was made yet"
        return self._kept

    def start(self) -> None:
        self._mixture.kernels = replace(self._kernels, route=self._route)

    def stop(self) -> None:
        self._mixture.kernels = self._kernels

    def _route(
        self, x_TD: Tensor, router_ED: Tensor, top_k: int, rules: RowRules | None
    ) -> tuple[Tensor, Tensor]:
        self._kept = self._kernels.route(x_TD, router_ED, top_k, rules)
        return self._kept


def _layer(block: Block) -> _PackedLayer | _PlainLayer:
    if block.packed_feed_forward is not None:
        return _PackedLayer(block.packed_feed_forward.experts)
    mixture = block.feed_forward
    assert isinstance(mixture, MixtureOfExperts)
    return _PlainLayer(mixture)


class Routing:
    """The routing of a mixture's last step."""

    def __init__(self, layers: list[_PackedLayer | _PlainLayer]) -> None:
        self._layers = layers

    def chosen(self) -> list[Tensor]:
        """Experts ``[T, K]`` of every layer, best first; no layers in a dense model."""
        return [layer.kept()[0] for layer in self._layers]

    def weights(self) -> list[Tensor]:
        """The chosen experts' weights, float32 ``[T, K]``, of every layer."""
        return [layer.kept()[1] for layer in self._layers]


@contextmanager
def kept_routing(model: Mixtral) -> Iterator[Routing]:
    """Keep what every step of ``model`` chooses, until the next step; what it computes stays."""
    layers = [_layer(block) for block in model.blocks()] if model.geometry.is_sparse else []
    for layer in layers:
        layer.start()
    try:
        yield Routing(layers)
    finally:
        for layer in layers:
            layer.stop()
