"""A model spread over ranks: FSDP2 (Zhao et al., 2023) for all of it, experts shared out besides.

Every parameter is sharded over all ranks, except that experts, where they are shared out, are
sharded over the ranks of one axis by expert and over those of the other by their rows. Routers stay
whole on every rank, in float32: they are tiny, and must not be rounded to the compute dtype. So do
adapters. The gradients of what stays whole are summed here.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.model.mixtral import MixtureOfExperts
from ostro.training.expert_parallel import ParallelExperts
from ostro.training.ranks import DATA, EXPERTS, Ranks


def shard(root: nn.Module, model: Mixtral, ranks: Ranks, dtype: torch.dtype) -> None:
    """Spread ``model`` over the ranks; ``root`` holds it, and is what is called at every step.

    The model is whole and the same on all ranks before.
    """
    assert ranks.mesh is not None
    everyone = ranks.mesh._flatten("everyone")
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    routers = {
        parameter for name, parameter in model.named_parameters() if name.endswith("router_ED")
    }
    groups: list[nn.Module] = []
    for block in model.blocks():
        mixture = block.feed_forward
        if isinstance(mixture, MixtureOfExperts) and ranks.mesh[EXPERTS].size() > 1:
            _share_out(mixture, ranks)
            fully_shard(
                mixture,
                mesh=ranks.mesh[DATA],
                mp_policy=policy,
                ignored_params=routers,
                shard_placement_fn=lambda parameter: Shard(1),
            )
            groups.append(mixture)
        fully_shard(block, mesh=everyone, mp_policy=policy, ignored_params=routers)
        groups.append(block)
    fully_shard(root, mesh=everyone, mp_policy=policy, ignored_params=routers)
    for group in (*groups, root):
        assert isinstance(group, FSDPModule)
        # A step's loss is divided by what all ranks have: gradients are to be summed.
        group.set_gradient_divide_factor(1.0)
        group.set_force_sum_reduction_for_comms(True)


def _share_out(mixture: MixtureOfExperts, ranks: Ranks) -> None:
    """Give each rank of the experts' axis its experts."""
    assert ranks.mesh is not None
    axis, data = ranks.mesh[EXPERTS], ranks.mesh[DATA].size()
    experts, twice_ffn, dim = mixture.gate_up_E2FD.shape
    if experts % axis.size():
        raise OstroError(f"{experts} experts can't be shared out to {axis.size()} ranks")
    if twice_ffn % data or dim % data:
        raise OstroError(f"experts of {dim} and {twice_ffn} rows can't be cut for {data} ranks")
    for name in ("gate_up_E2FD", "down_EDF"):
        own = distribute_tensor(getattr(mixture, name).detach(), axis, [Shard(0)])
        setattr(mixture, name, nn.Parameter(own))
    mixture.kernels = replace(mixture.kernels, mix_experts=ParallelExperts(axis.get_group()))


class ShardedWeights:
    """Weights over ranks: DTensors, and those that are whole on every rank."""

    def __init__(self, root: nn.Module) -> None:
        self._root = root
        self._named = {n: p for n, p in root.named_parameters() if p.requires_grad}

    @property
    def named(self) -> Mapping[str, nn.Parameter]:
        """The weights that the optimizer changes, by the model's names; their gradients too."""
        return self._named

    def publish(self) -> None:
        """Have the next call gather the weights as they are now.

        What the root itself holds stays gathered after a call without a backward pass.
        """
        assert isinstance(self._root, FSDPModule)
        self._root.reshard()

    def finish_gradients(self) -> Tensor:
        """Sum the gradients that FSDP did not, and give the norm of all, each counted once."""
        parts, whole = [], []
        for weight in self._named.values():
            if isinstance(weight.grad, DTensor):
                parts.append(weight.grad.to_local())
            elif weight.grad is not None:
                dist.all_reduce(weight.grad)
                whole.append(weight.grad)
        squares = nn.utils.get_total_norm(parts).square()
        dist.all_reduce(squares)
        return (squares + nn.utils.get_total_norm(whole).square()).sqrt()
