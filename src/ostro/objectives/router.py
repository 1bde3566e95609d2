"""What keeps a router in order: balance between the experts, and logits that stay small.

Both are computed layer by layer. Taking all layers together, as some code does, lets one layer's
favourite make up for another's. Rows that are padding count for nothing.
"""

from torch import Tensor


def balance_loss(
    logits_TE: Tensor,
    experts_TK: Tensor,
    counted_T: Tensor | None = None,
    counts_E: Tensor | None = None,
) -> Tensor:
    """The balance loss of one layer: 1 where experts are used alike, E / K at the worst.

    E * sum_e f_e P_e (Fedus, Zoph and Shazeer, 2022), where f_e is expert e's share of all T K
    choices and P_e the mean of its probability, the softmax over all E logits. Dividing by K is
    what makes balance 1 for every K; Hugging Face's Mixtral does not, and has 2 there, so that its
    coefficient of 0.02 is 0.04 here.

    ``experts_TK`` are the chosen experts, through which nothing flows back. ``counted_T`` is False
    for padding. Where no row counts the loss is 0. ``counts_E`` are choices to take shares of in
    place of these rows' own: those of more text, over which the loss then balances. With shares of
    other rows it may be below 1.
    """
    if counted_T is not None:
        logits_TE, experts_TK = logits_TE[counted_T], experts_TK[counted_T]
    num_experts = logits_TE.shape[1]
    if not len(logits_TE):
        return logits_TE.sum()  # 0, with a gradient of 0.
    if counts_E is None:
        counts_E = experts_TK.flatten().bincount(minlength=num_experts)
    shares_E = (counts_E / counts_E.sum()).to(logits_TE.dtype)
    probabilities_E = logits_TE.softmax(1).mean(0)
    return num_experts * (shares_E * probabilities_E).sum()


def z_loss(logits_TE: Tensor, counted_T: Tensor | None = None) -> Tensor:
    """The mean square of log(sum(exp(logits))) of one layer (Zoph et al., 2022); 0 without rows."""
    if counted_T is not None:
        logits_TE = logits_TE[counted_T]
    if not len(logits_TE):
        return logits_TE.sum()
    return logits_TE.logsumexp(1).square().mean()
