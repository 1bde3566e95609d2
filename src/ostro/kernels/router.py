"""The router: which experts a token uses, and how much of each.

With logits z = W_r x, the K largest are kept and softmax runs over those alone, which equals
softmax over all experts renormalised over the chosen (Jiang et al., 2024, section 2.1).

A row may have a rule of its own, which changes the choice and never the logits: its K, experts that
must or must not be among the chosen, and factors for the weights of those that are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class RouterRule:
    """What somebody wants of one layer's router. Expert e is bit e of a set of experts.

    At most ``top_k`` experts are forced, all of them allowed; at least ``top_k`` are allowed.
    """

    allowed: int
    """Experts that may be chosen."""
    forced: int
    """Experts that are chosen whatever their logits."""
    top_k: int
    factors: tuple[float, ...] | None = None
    """What an expert's weight is multiplied by after the softmax, for each of the E experts. The
    weights are not normalised again."""


@dataclass(frozen=True)
class RowRules:
    """Which rule holds for which row of a step, in one layer."""

    rule_of_row_T: Tensor
    """For each row a place in ``rules``, int32 on the CPU; -1: it is routed as the layer says."""
    rules: Sequence[RouterRule]
    slots: int
    """K of the step: no less than the K of any row."""


def route(
    x_TD: Tensor, router_ED: Tensor, top_k: int, rules: RowRules | None = None
) -> tuple[Tensor, Tensor]:
    """Chosen experts ``[T, K]`` (int64, best first) and their weights ``[T, K]`` (float32).

    Logits are float32 whatever the model's dtype: near ties must not flip by rounding.

    With ``rules``, K is that of the step, and a slot that a row does not use has expert -1 and
    weight 0. Forced experts stand where their logits put them, so that forcing what would be chosen
    anyway changes nothing.
    """
    logits_TE = router_logits(x_TD, router_ED)
    if rules is None:
        return choose(logits_TE, top_k)
    own = RouterRule((1 << len(router_ED)) - 1, 0, top_k)
    shape = (len(x_TD), rules.slots)
    experts_TK = torch.full(shape, -1, dtype=torch.int64, device=x_TD.device)
    weights_TK = torch.zeros(shape, device=x_TD.device)
    for number in rules.rule_of_row_T.unique().tolist():
        rule = own if number < 0 else rules.rules[number]
        rows = (rules.rule_of_row_T == number).nonzero()[:, 0].to(x_TD.device)
        experts, weights = _choose(logits_TE[rows], rule)
        experts_TK[rows, : rule.top_k] = experts
        weights_TK[rows, : rule.top_k] = weights
    return experts_TK, weights_TK


def router_logits(x_TD: Tensor, router_ED: Tensor) -> Tensor:
    """Logits ``[T, E]`` in float32, or in float64 where the router is kept so."""
    wide = torch.promote_types(router_ED.dtype, torch.float32)
    return F.linear(x_TD.to(wide), router_ED.to(wide))


def choose(logits_TE: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The choice without rules: experts ``[T, K]``, best first, and their weights ``[T, K]``."""
    chosen_TK, experts_TK = torch.topk(logits_TE, top_k, dim=-1)
    return experts_TK, torch.softmax(chosen_TK, dim=-1)


def _choose(logits_TE: Tensor, rule: RouterRule) -> tuple[Tensor, Tensor]:
    """Experts and weights ``[T, rule.top_k]``."""
    infinity, device = float("inf"), logits_TE.device
    allowed_E, forced_E = (
        torch.tensor([bool(experts >> e & 1) for e in range(logits_TE.shape[1])], device=device)
        for experts in (rule.allowed, rule.forced)
    )
    ranks_TE = logits_TE.masked_fill(~allowed_E, -infinity).masked_fill(forced_E, infinity)
    taken_TK = torch.topk(ranks_TE, rule.top_k, dim=-1).indices
    chosen_TK, order_TK = logits_TE.gather(-1, taken_TK).sort(dim=-1, descending=True)
    experts_TK = taken_TK.gather(-1, order_TK)
    weights_TK = torch.softmax(chosen_TK, dim=-1)
    if rule.factors is not None:
        weights_TK = weights_TK * torch.tensor(rule.factors, device=device)[experts_TK]
    return experts_TK, weights_TK
