"""bfloat16 in the model, float32 in the optimizer (Micikevicius et al., 2018).

An update is often smaller than what bfloat16 can add to a weight. So the optimizer changes float32
weights, of which the model computes with rounded copies. Gradients are added up in float32 as well:
over many micro-batches bfloat16 would lose the small ones.
"""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ostro.training.ranks import Ranks
from ostro.weights.load import put_parameter

# The router stays exact (law 6): it is computed in float32, and so is its gradient.
_EXACT = "router_ED"


class MasterWeights:
    """The float32 weights of a model's trained parameters."""

    def __init__(self, model: nn.Module, dtype: torch.dtype, ranks: Ranks) -> None:
        """``model`` is in float32, and the same on all ranks.

        With another ``dtype`` its parameters become copies in that.
        """
        self._ranks = ranks
        self._copies: list[tuple[nn.Parameter, nn.Parameter]] = []
        self._masters: dict[str, nn.Parameter] = {}
        for name, parameter in list(model.named_parameters()):
            keeps = dtype == torch.float32 or name.endswith(_EXACT)
            own = parameter if keeps else _rounded(model, name, parameter, dtype)
            if parameter.requires_grad:
                self._masters[name] = parameter
                if own is not parameter:
                    self._follow(own, parameter)

    @property
    def named(self) -> Mapping[str, nn.Parameter]:
        """The weights that the optimizer changes, by the model's names; their gradients too."""
        return self._masters

    def finish_gradients(self) -> Tensor:
        """Sum the gradients over the ranks, and give the norm of all, a scalar."""
        gradients = [weight.grad for weight in self._masters.values() if weight.grad is not None]
        if self._ranks.count > 1:
            for gradient in gradients:
                dist.all_reduce(gradient)
        return nn.utils.get_total_norm(gradients)

    def publish(self) -> None:
        """Round the weights as they are now into the model."""
        with torch.no_grad():
            for copy, master in self._copies:
                copy.copy_(master)

    def _follow(self, copy: nn.Parameter, master: nn.Parameter) -> None:
        def add(copy: Tensor) -> None:
            assert copy.grad is not None
            if master.grad is None:
                master.grad = copy.grad.float()
            else:
                master.grad += copy.grad
            copy.grad = None

        copy.register_post_accumulate_grad_hook(add)
        self._copies.append((copy, master))


def _rounded(
    model: nn.Module, name: str, parameter: nn.Parameter, dtype: torch.dtype
) -> nn.Parameter:
    """Put a copy in ``dtype`` into the place of a parameter."""
    copy = parameter.detach().to(dtype)
    return put_parameter(model, name, copy, requires_grad=parameter.requires_grad)
