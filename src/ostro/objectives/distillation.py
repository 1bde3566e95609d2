"""Learning from a parent model's probabilities (Hinton, Vinyals and Dean, 2015)."""

from torch import Tensor

from ostro.objectives.language import CHUNK_ROWS, IGNORED, Sum
from ostro.objectives.linear_loss import linear_loss


def distillation(
    hidden_TD: Tensor,
    head_VD: Tensor,
    parent_TP: Tensor,
    parent_head_VP: Tensor,
    targets_T: Tensor,
    *,
    temperature: float = 1.0,
    chunk_rows: int = CHUNK_ROWS,
) -> Sum:
    """KL(parent || model) in nats, summed over rows whose target is not :data:`IGNORED`.

    ``parent_TP`` are the parent's rows before its head, as ``hidden_TD`` are the model's; both read
    the same vocabulary. Nothing flows back to the parent. With a ``temperature`` both sides' logits
    are divided by it, and the loss is multiplied by its square, so that gradients keep their size.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    counted = (targets_T != IGNORED).nonzero().squeeze(1)
    if len(counted) < len(targets_T):
        hidden_TD, parent_TP = hidden_TD[counted], parent_TP[counted]
    parent_TP, parent_head_VP = parent_TP.detach(), parent_head_VP.detach()

    def part(rows: slice, logits_TV: Tensor, learning: bool) -> tuple[Tensor, Tensor | None]:
        own_TV = _to_logprobs(logits_TV, temperature)
        parents_TV = (parent_TP[rows] @ parent_head_VP.T).to(own_TV.dtype)
        parents_TV = _to_logprobs(parents_TV, temperature)
        chances_TV = parents_TV.exp()
        loss = chances_TV.flatten().dot(parents_TV.sub_(own_TV).flatten())
        if not learning:
            return loss * temperature**2, None
        # Of KL by the model's logits over the temperature; by the logits, one factor is left.
        return loss * temperature**2, own_TV.exp_().sub_(chances_TV).mul_(temperature)

    total = linear_loss(hidden_TD, head_VD, part, chunk_rows=chunk_rows)
    return Sum(total, len(counted))


def _to_logprobs(logits_TV: Tensor, temperature: float) -> Tensor:
    """In the place of the logits."""
    if temperature != 1:
        logits_TV.div_(temperature)
    return logits_TV.sub_(logits_TV.logsumexp(1, keepdim=True))
