"""Learning from a parent model's probabilities (Hinton, Vinyals and Dean, 2015)."""

from torch import Tensor

from ostro.objectives.language import CHUNK_ROWS, IGNORED, Sum, in_chunks, widened


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
    parent_TP, parent_head_VP = parent_TP.detach(), parent_head_VP.detach()
    counted = (targets_T != IGNORED).nonzero().squeeze(1)

    def part(hidden_TD: Tensor, head_VD: Tensor, parent_TP: Tensor) -> Tensor:
        own_TV = _logprobs(hidden_TD, head_VD, temperature)
        parent_TV = _logprobs(parent_TP, parent_head_VP, temperature)
        return (parent_TV.exp() * (parent_TV - own_TV)).sum()

    total = widened(hidden_TD.new_zeros(()))
    for chunk in in_chunks(part, counted, hidden_TD, head_VD, parent_TP, chunk_rows=chunk_rows):
        total = total + chunk
    return Sum(total * temperature**2, len(counted))


def _logprobs(rows_TD: Tensor, head_VD: Tensor, temperature: float) -> Tensor:
    return (widened(rows_TD @ head_VD.T) / temperature).log_softmax(1)
