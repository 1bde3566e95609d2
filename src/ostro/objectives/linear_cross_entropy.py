"""Cross entropy straight from the rows before the head."""

from torch import Tensor

from ostro.objectives.linear_loss import linear_loss


def linear_cross_entropy(
    hidden_TD: Tensor, head_VD: Tensor, targets_T: Tensor, *, chunk_rows: int
) -> Tensor:
    """Cross entropy of all targets, summed: a scalar, at least float32."""

    def part(rows: slice, logits_TV: Tensor, learning: bool) -> tuple[Tensor, Tensor | None]:
        chosen_T1 = targets_T[rows, None]
        sums_T1 = logits_TV.logsumexp(1, keepdim=True)
        loss = (sums_T1 - logits_TV.gather(1, chosen_T1)).sum()
        if not learning:
            return loss, None
        slopes_TV = logits_TV.sub_(sums_T1).exp_()  # The probabilities.
        ones_T1 = slopes_TV.new_full(chosen_T1.shape, -1.0)
        return loss, slopes_TV.scatter_add_(1, chosen_T1, ones_T1)

    return linear_loss(hidden_TD, head_VD, part, chunk_rows=chunk_rows)
