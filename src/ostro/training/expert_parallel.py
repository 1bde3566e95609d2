"""Expert parallelism: each rank has some of the experts, and tokens travel to theirs and back.

The routers choose as ever. Rows are sorted by expert, sent to the ranks that have those experts,
computed there in one grouped product, and sent back to be weighed and summed at home (Lepikhin et
al., 2021). Nothing is dropped: a rank may get any number of rows, or none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from ostro.kernels.grouped_experts import grouped_swiglu, rows_by_expert, sort_by_expert
from ostro.kernels.lora import ExpertLowRank
from ostro.kernels.training_ops import combine, dispatch, reorder


@dataclass(frozen=True)
class ParallelExperts:
    """``mix_experts`` over a group of ranks; its matrices are sharded over the group by expert."""

    group: dist.ProcessGroup

    def __call__(
        self,
        x_TD: Tensor,
        experts_TK: Tensor,
        weights_TK: Tensor,
        gate_up_E2FD: Tensor,
        down_EDF: Tensor,
        adapters_E: Sequence[ExpertLowRank] | None = None,
    ) -> Tensor:
        """What :func:`ostro.kernels.experts.mix_experts` computes, ``[T, D]``."""
        assert adapters_E is None, "adapters stay on one rank"
        gate_up_e2FD, down_eDF = _local(gate_up_E2FD), _local(down_EDF)
        local_experts = gate_up_e2FD.shape[0]
        ranks = dist.get_world_size(self.group)
        order, back, ends_E = sort_by_expert(experts_TK, ranks * local_experts)
        sent_RE = rows_by_expert(ends_E).view(ranks, local_experts).long()
        came_RE = torch.empty_like(sent_RE)
        dist.all_to_all_single(came_RE, sent_RE, group=self.group)
        sent, came = sent_RE.sum(1).tolist(), came_RE.sum(1).tolist()
        rows_SD = _exchange(dispatch(x_TD, order, back), came, sent, self.group)
        outputs_SD = _computed(rows_SD, came_RE, gate_up_e2FD, down_eDF)
        own_SD = _exchange(outputs_SD, sent, came, self.group)
        own_TKD = reorder(own_SD, back).unflatten(0, experts_TK.shape)
        return combine(own_TKD, weights_TK)


def _computed(rows_SD: Tensor, came_RE: Tensor, gate_up_e2FD: Tensor, down_eDF: Tensor) -> Tensor:
    """Rows that came rank by rank, and from each expert by expert, through their experts."""
    ranks, local_experts = came_RE.shape
    numbers_E = torch.arange(local_experts, device=rows_SD.device).repeat(ranks)
    expert_of_row_S = numbers_E.repeat_interleave(came_RE.flatten())
    order, back, ends_e = sort_by_expert(expert_of_row_S[:, None], local_experts)
    outputs_SD = grouped_swiglu(reorder(rows_SD, order), ends_e, gate_up_e2FD, down_eDF)
    return reorder(outputs_SD, back)


def _local(weight: Tensor) -> Tensor:
    return weight.to_local() if isinstance(weight, DTensor) else weight


def _exchange(
    rows_SD: Tensor, came: list[int], sent: list[int], group: dist.ProcessGroup
) -> Tensor:
    exchanged: Tensor = _Exchange.apply(rows_SD, came, sent, group)  # type: ignore[no-untyped-call]
    return exchanged


class _Exchange(torch.autograd.Function):
    """Rows to the ranks that want them; gradients go back the same way."""

    @staticmethod
    def forward(
        ctx: Any, rows_SD: Tensor, came: list[int], sent: list[int], group: dist.ProcessGroup
    ) -> Tensor:
        ctx.came, ctx.sent, ctx.group = came, sent, group
        result = rows_SD.new_empty(sum(came), rows_SD.shape[1])
        dist.all_to_all_single(result, rows_SD.contiguous(), came, sent, group=group)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient_SD,) = gradients
        result = gradient_SD.new_empty(sum(ctx.sent), gradient_SD.shape[1])
        dist.all_to_all_single(
            result, gradient_SD.contiguous(), ctx.sent, ctx.came, group=ctx.group
        )
        return result, None, None, None
