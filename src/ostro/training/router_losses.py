"""The router's losses in a step: means over the layers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostro.config.recipe import Router
from ostro.model import LayerRouting, RouterRecord
from ostro.objectives.router import balance_loss, z_loss
from ostro.training.expert_loads import ExpertLoads


class RouterLosses:
    """Balance and z-loss of the rows that a micro-batch brought to the routers."""

    def __init__(
        self, record: RouterRecord, recipe: Router, loads: ExpertLoads | None = None
    ) -> None:
        """``loads`` are what is balanced; None: each micro-batch by itself."""
        self._record, self._recipe, self._loads = record, recipe, loads

    def add_to(self, figures: dict[str, Tensor], share: float) -> Tensor | float:
        """The weighted losses; ``share`` is the micro-batch's share of the step's rows.

        ``balance`` and ``z`` are added to the figures even where their weight is 0, so that one
        sees what happens. Neither is computed with a gradient then. The balance of a step is the
        mean of its micro-batches': what is unbalanced in one is not made good by another, but where
        ``loads`` remember what came before.
        """
        total: Tensor | float = 0.0
        layers = self._record.layers
        for name, weight in (("balance", self._recipe.balance), ("z", self._recipe.z)):
            if not layers:
                break
            with torch.set_grad_enabled(weight > 0 and torch.is_grad_enabled()):
                mean = torch.stack(self._losses(name, layers)).mean() * share
            figures[name] = mean.detach()
            if weight:
                total = total + weight * mean
        return total

    def _losses(self, name: str, layers: Sequence[LayerRouting]) -> list[Tensor]:
        if name == "z":
            return [z_loss(layer.logits_TE) for layer in layers]
        counts = [None] * len(layers) if self._loads is None else self._loads.counts().unbind()
        return [
            balance_loss(layer.logits_TE, layer.experts_TK, counts_E=counts_E)
            for layer, counts_E in zip(layers, counts, strict=True)
        ]
