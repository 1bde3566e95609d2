"""The mixture for many rows at once: one grouped product for all experts, forward and backward.

Rows are sorted by expert, so that each matrix meets its rows in one block. Nothing is dropped: an
expert may have any number of rows, or none (Gale et al., 2022).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ostro.kernels.lora import ExpertLowRank, LowRank
from ostro.kernels.training_ops import combine, dispatch, gated, reorder

# oneDNN, which multiplies bfloat16 on CPUs, makes a program for each number of rows that it meets,
# and experts never have the same twice: where there are tile registers (AMX), that takes a third of
# a training step. Of multiples it soon has all.
_ROWS_OF_A_PROGRAM = 32


def mix_experts_grouped(
    x_TD: Tensor,
    experts_TK: Tensor,
    weights_TK: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    adapters_E: Sequence[ExpertLowRank] | None = None,
) -> Tensor:
    """What :func:`ostro.kernels.experts.mix_experts` computes, for every expert at once.

    Every slot must be used. Of a kind of matrix, an adapter adds to all experts' or to none's, by
    the same rank and scale.
    """
    compiles = x_TD.device.type == "cpu" and x_TD.dtype == torch.bfloat16
    order, back, ends_E = sort_by_expert(
        experts_TK, gate_up_E2FD.shape[0], _ROWS_OF_A_PROGRAM if compiles else 1
    )
    rows_SD = dispatch(x_TD, order, back)
    outputs_SD = grouped_swiglu(rows_SD, ends_E, gate_up_E2FD, down_EDF, adapters_E)
    outputs_TKD = reorder(outputs_SD, back).unflatten(0, experts_TK.shape)
    return combine(outputs_TKD, weights_TK)


def sort_by_expert(
    experts_TK: Tensor, num_experts: int, multiple: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """The order that brings the S = T K pairs of token and slot together by expert.

    Gives the pairs' numbers in that order, the place of each pair in it ``[S]``, and where each
    expert's rows end ``[E]`` (int32, as grouped products want it). With a ``multiple`` each expert
    gets a multiple of it in rows: behind its own stands pair 0 again, at places that are nobody's.
    """
    order = experts_TK.flatten().argsort(stable=True)
    back = torch.empty_like(order)
    counts_E = experts_TK.flatten().bincount(minlength=num_experts)
    places = torch.arange(len(order), device=order.device)
    if multiple == 1:  # Without the wait for a GPU that the number of rows below would be.
        back[order] = places
        return order, back, counts_E.cumsum(0).to(torch.int32)
    room_E = (counts_E + multiple - 1) // multiple * multiple
    ends_E = room_E.cumsum(0)
    before_E = (ends_E - room_E) - (counts_E.cumsum(0) - counts_E)
    places += before_E.repeat_interleave(counts_E, output_size=len(order))
    back[order] = places
    padded = order.new_zeros(int(ends_E[-1]))
    padded[places] = order
    return padded, back, ends_E.to(torch.int32)


def rows_by_expert(ends_E: Tensor) -> Tensor:
    """How many rows each expert has, from where they end."""
    return ends_E.diff(prepend=ends_E.new_zeros(1))


def grouped_swiglu(
    rows_SD: Tensor,
    ends_E: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    adapters_E: Sequence[ExpertLowRank] | None = None,
) -> Tensor:
    """Every row through its expert's SwiGLU block, ``[S, D]``; rows stand sorted by expert."""
    gate_up_S2F = grouped_product(rows_SD, ends_E, gate_up_E2FD)
    if adapters_E is None:
        return grouped_product(gated(gate_up_S2F), ends_E, down_EDF)
    gate_SF, up_SF = gate_up_S2F.chunk(2, dim=-1)
    gate_SF = _adapted(gate_SF, rows_SD, ends_E, [adapter.gate for adapter in adapters_E])
    up_SF = _adapted(up_SF, rows_SD, ends_E, [adapter.up for adapter in adapters_E])
    hidden_SF = F.silu(gate_SF) * up_SF
    outputs_SD = grouped_product(hidden_SF, ends_E, down_EDF)
    return _adapted(outputs_SD, hidden_SF, ends_E, [adapter.down for adapter in adapters_E])


def _adapted(
    y_SO: Tensor, x_SI: Tensor, ends_E: Tensor, additions_E: Sequence[LowRank | None]
) -> Tensor:
    """``y_SO``, the experts' products with ``x_SI``, and what is added to each expert's.

    Grouped products of so few columns would take longer than those of the weights. So every row
    meets all experts' A, is set to 0 but for its own expert's part, and meets all B: E times the
    arithmetic, in two products for all experts.
    """
    given = [addition for addition in additions_E if addition is not None]
    if not given:
        return y_SO
    assert len(given) == len(additions_E)
    assert len({addition.scale for addition in given}) == 1
    a_CI = torch.cat([addition.a_RI for addition in given]).to(x_SI.dtype)
    b_OC = torch.cat([addition.b_OR for addition in given], 1).to(x_SI.dtype)
    low_SER = (x_SI @ a_CI.T).unflatten(1, (len(given), -1))
    numbers = torch.arange(len(given), device=x_SI.device)
    expert_S = numbers.repeat_interleave(rows_by_expert(ends_E), output_size=len(x_SI))
    own_SE = (expert_S[:, None] == numbers).to(x_SI.dtype) * given[0].scale
    return torch.addmm(y_SO, (low_SER * own_SE[:, :, None]).flatten(1), b_OC.T)


def grouped_product(rows_SI: Tensor, ends_E: Tensor, weight_EOI: Tensor) -> Tensor:
    """Each row's product with its expert's matrix, ``[S, O]``.

    torch computes this for float32 and narrower types whose rows are a multiple of 16 bytes; others
    go expert by expert.
    """
    aligned = all(width * weight_EOI.element_size() % 16 == 0 for width in weight_EOI.shape[1:])
    if aligned and weight_EOI.dtype != torch.float64:
        return F.grouped_mm(rows_SI, weight_EOI.transpose(1, 2), offs=ends_E)
    counts = rows_by_expert(ends_E).tolist()
    parts = zip(rows_SI.split(counts), weight_EOI.unbind(), strict=True)
    return torch.cat([F.linear(rows, weight_OI) for rows, weight_OI in parts])
