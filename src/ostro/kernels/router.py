"""The router: which experts a token uses, and how much of each.

With logits z = W_r x, the K largest are kept and softmax runs over those alone, which equals
softmax over all experts renormalised over the chosen (Jiang et al., 2024, section 2.1).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def route(x_TD: Tensor, router_ED: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """Chosen experts ``[T, K]`` (int64, best first) and their weights ``[T, K]`` (float32).

    Logits are float32 whatever the model's dtype: near ties must not flip by rounding.
    """
    logits_TE = F.linear(x_TD.float(), router_ED.float())
    chosen_TK, experts_TK = torch.topk(logits_TE, top_k, dim=-1)
    return experts_TK, torch.softmax(chosen_TK, dim=-1)
