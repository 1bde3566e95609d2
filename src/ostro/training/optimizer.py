"""AdamW over named weights, whose state is named too."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from ostro.config.recipe import Optimizer as OptimizerRecipe

_MOMENTS = ("exp_avg", "exp_avg_sq")


class AdamW:
    """PyTorch's fused AdamW; matrices decay, norms do not."""

    def __init__(self, weights: Mapping[str, nn.Parameter], recipe: OptimizerRecipe) -> None:
        self._weights, self._recipe = weights, recipe
        groups: dict[tuple[Any, bool], list[nn.Parameter]] = {}
        for weight in weights.values():
            # One call changes a whole group, all of which must be spread over ranks alike.
            mesh = weight.device_mesh if isinstance(weight, DTensor) else None
            groups.setdefault((mesh, weight.dim() > 1), []).append(weight)
        self._optimizer = torch.optim.AdamW(
            [
                {"params": group, "weight_decay": recipe.weight_decay if is_matrix else 0.0}
                for (_, is_matrix), group in groups.items()
            ],
            lr=recipe.lr,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            fused=True,
        )
        self._begin_state()

    def clip(self, norm: float) -> None:
        """Scale the gradients, whose norm this is, down to the recipe's if it is above that."""
        bound = self._recipe.clip
        if bound and norm > bound:
            for weight in self._weights.values():
                if weight.grad is not None:
                    weight.grad.mul_(bound / norm)

    def step(self, share: float) -> None:
        """Change the weights, at ``share`` of the highest learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.lr * share
        self._optimizer.step()

    def forget_gradients(self) -> None:
        """Before the next step's are added up."""
        self._optimizer.zero_grad()

    def tensors(self) -> dict[str, Tensor]:
        """The state by name: two moments and the number of steps for each weight."""
        return dict(self._named())

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for name, weight in self._weights.items():
            for key, tensor in self._optimizer.state[weight].items():
                yield f"optimizer.{name}.{key}", tensor

    def _begin_state(self) -> None:
        """What AdamW would make at its first step, so that there is something to load into."""
        for weight in self._weights.values():
            state = self._optimizer.state[weight]
            state["step"] = torch.zeros((), device=weight.device)
            state |= {key: torch.zeros_like(weight.detach()) for key in _MOMENTS}
