"""The mixture: every token through its chosen experts, summed with the router's weights.

y = sum_k weight_k * E_{expert_k}(x), in slot order k = 0, 1, ..., so that the sum's rounding does
not depend on which other tokens are in the batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ostro.kernels.lora import ExpertLowRank
from ostro.kernels.swiglu import swiglu


def mix_experts(
    x_TD: Tensor,
    experts_TK: Tensor,
    weights_TK: Tensor,
    gate_up_E2FD: Tensor,
    down_EDF: Tensor,
    adapters_E: Sequence[ExpertLowRank] | None = None,
) -> Tensor:
    """``[T, D]`` to ``[T, D]``. Reads the weights of those experts only that some token chose.

    A slot whose expert is -1 is not used: it computes nothing and adds nothing. ``adapters_E`` are
    what an adapter adds to each expert, for all rows.
    """

    def output(expert: int, x: Tensor) -> Tensor:
        adapter = None if adapters_E is None else adapters_E[expert]
        return swiglu(x, gate_up_E2FD[expert], down_EDF[expert], adapter)

    top_k = experts_TK.shape[1]
    if x_TD.shape[0] == 1:
        used = [expert for expert in experts_TK[0].tolist() if expert >= 0]
        outputs_1KD = torch.stack([output(expert, x_TD) for expert in used], dim=1)
        return weighted_sum(outputs_1KD, weights_TK[:, : len(used)], x_TD.dtype)
    # Sort the T*K (token, slot) pairs by expert, so that each expert sees its rows in one product.
    by_expert = experts_TK.flatten().argsort(stable=True)
    # Unused slots come first, as if they were an expert whose output is 0.
    counts = (experts_TK.flatten() + 1).bincount(minlength=gate_up_E2FD.shape[0] + 1).tolist()
    unused, *rows = x_TD[by_expert // top_k].split(counts)
    outputs = [torch.zeros_like(unused)]
    outputs += [output(expert, part) for expert, part in enumerate(rows) if part.shape[0]]
    back = torch.empty_like(by_expert)
    back[by_expert] = torch.arange(by_expert.numel(), device=by_expert.device)
    outputs_TKD = torch.cat(outputs)[back].unflatten(0, (-1, top_k))
    return weighted_sum(outputs_TKD, weights_TK, x_TD.dtype)


def weighted_sum(outputs_TKD: Tensor, weights_TK: Tensor, dtype: torch.dtype) -> Tensor:
    """The experts' outputs by their weights, ``[T, D]``, added up slot by slot."""
    total_TD = outputs_TKD[:, 0] * weights_TK[:, 0, None]
    for slot in range(1, weights_TK.shape[1]):
        total_TD = total_TD + outputs_TKD[:, slot] * weights_TK[:, slot, None]
    return total_TD.to(dtype)
