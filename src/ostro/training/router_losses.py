"""The router's losses in a step: means over the layers."""

import torch
from torch import Tensor

from ostro.config.recipe import Router
from ostro.model import LayerRouting, RouterRecord
from ostro.objectives.router import balance_loss, z_loss


class RouterLosses:
    """Balance and z-loss of the rows that a micro-batch brought to the routers."""

    def __init__(self, record: RouterRecord, recipe: Router) -> None:
        self._record, self._recipe = record, recipe

    def add_to(self, figures: dict[str, Tensor], share: float) -> Tensor | float:
        """The weighted losses; ``share`` is the micro-batch's share of the step's rows.

        ``balance`` and ``z`` are added to the figures even where their weight is 0, so that one
        sees what happens. Neither is computed with a gradient then. The balance of a step is the
        mean of its micro-batches': what is unbalanced in one is not made good by another.
        """
        total: Tensor | float = 0.0
        layers = self._record.layers
        for name, weight in (("balance", self._recipe.balance), ("z", self._recipe.z)):
            if not layers:
                break
            with torch.set_grad_enabled(weight > 0 and torch.is_grad_enabled()):
                mean = torch.stack([_loss(name, layer) for layer in layers]).mean() * share
            figures[name] = mean.detach()
            if weight:
                total = total + weight * mean
        return total


def _loss(name: str, layer: LayerRouting) -> Tensor:
    if name == "balance":
        return balance_loss(layer.logits_TE, layer.experts_TK)
    return z_loss(layer.logits_TE)
