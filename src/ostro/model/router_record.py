"""The router's logits and choices of a training step, for losses and for those who watch it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ostro.kernels.router import RowRules, choose, router_logits
from ostro.model.mixtral import Mixtral, MixtureOfExperts


@dataclass(frozen=True)
class LayerRouting:
    """One layer's."""

    logits_TE: Tensor
    """In float32, with a gradient."""
    experts_TK: Tensor


class RouterRecord:
    """What each layer's router did with the rows of a step.

    A layer that is computed again in the backward pass is not written down twice.
    """

    def __init__(self, model: Mixtral) -> None:
        """From now on the model's routers write themselves down here."""
        self._layers: dict[int, LayerRouting] = {}
        for index, block in enumerate(model.blocks()):
            if isinstance(block.feed_forward, MixtureOfExperts):
                self._watch(index, block.feed_forward)

    @property
    def layers(self) -> Sequence[LayerRouting]:
        """The mixtures, in order; none in a dense model."""
        return [self._layers[index] for index in sorted(self._layers)]

    def counts(self) -> Tensor:
        """How often each expert was chosen, ``[L, E]`` in int64; there must be mixtures."""
        return torch.stack(
            [
                layer.experts_TK.flatten().bincount(minlength=layer.logits_TE.shape[1])
                for layer in self.layers
            ]
        )

    def start(self) -> None:
        """Forget the last step."""
        self._layers = {}

    def _watch(self, index: int, mixture: MixtureOfExperts) -> None:
        def route(
            x_TD: Tensor, router_ED: Tensor, top_k: int, rules: RowRules | None
        ) -> tuple[Tensor, Tensor]:
            assert rules is None, "nobody steers a model in training"
            logits_TE = router_logits(x_TD, router_ED)
            experts_TK, weights_TK = choose(logits_TE, top_k)
            self._layers.setdefault(index, LayerRouting(logits_TE, experts_TK))
            return experts_TK, weights_TK

        mixture.kernels = replace(mixture.kernels, route=route)
