"""Experts made ready before their layer's turn, by asking its router early."""

from collections.abc import Sequence

from torch import Tensor

from ostro.kernels.native import NativeContext, PackedExperts
from ostro.model import StepOptions
from ostro.weights.expert_pool import ExpertPool


class RoutedExperts:
    """Holds what a layer wants in memory, and begins to read what the next one will want.

    The next layer's router is applied to the residual stream as it is before this layer's experts:
    the stream changes little from one layer to the next, so most of its choices come true (Eliseev
    and Mazur, 2023, on Mixtral).
    """

    def __init__(
        self, context: NativeContext, pool: ExpertPool, layers: Sequence[PackedExperts]
    ) -> None:
        self._context, self.pool, self._layers = context, pool, layers
        for index, layer in enumerate(layers):
            pool.add_layer(index, layer.experts)

    def make_ready(self, layer: int, x_TD: Tensor, options: StepOptions | None) -> None:
        """Bring the experts that ``layer`` chooses for ``[T, D]`` into memory."""
        if layer == 0:
            self.pool.metrics.tokens += x_TD.shape[0]
        self.pool.hold(layer, self._route(layer, x_TD, options))
        if layer + 1 < len(self._layers):
            self.pool.prefetch(layer + 1, self._route(layer + 1, x_TD, options))

    def _route(self, layer: int, x_TD: Tensor, options: StepOptions | None) -> list[int]:
        steering = None if options is None else options.native_rules(layer)
        return self._context.route(self._layers[layer], x_TD, steering)
