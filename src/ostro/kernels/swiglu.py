"""The SwiGLU feed-forward block (Shazeer, 2020), which is also one expert of a mixture.

E(x) = W_down (silu(W_gate x) * (W_up x)); Mistral's files call the three w2, w1 and w3.
"""

import torch.nn.functional as F
from torch import Tensor

from ostro.kernels.linear import linear
from ostro.kernels.lora import ExpertLowRank, adapted


def swiglu(
    x_TD: Tensor, gate_up_2FD: Tensor, down_DF: Tensor, adapter: ExpertLowRank | None = None
) -> Tensor:
    """``[T, D]`` to ``[T, D]``; the first F rows of ``gate_up_2FD`` are the gate, the rest up."""
    gate_TF, up_TF = linear(x_TD, gate_up_2FD).chunk(2, dim=-1)
    if adapter is None:
        return linear(F.silu(gate_TF) * up_TF, down_DF)
    gate_TF, up_TF = adapted(gate_TF, x_TD, adapter.gate), adapted(up_TF, x_TD, adapter.up)
    hidden_TF = F.silu(gate_TF) * up_TF
    return adapted(linear(hidden_TF, down_DF), hidden_TF, adapter.down)
