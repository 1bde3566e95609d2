"""What sampling wants of the logits over a vocabulary."""

import torch
from torch import Tensor


def summarise(logits_V: Tensor, temperature: float = 1.0) -> tuple[int, float]:
    """The likeliest token (the first, of equal ones), and log(sum(exp(logits / temperature))).

    The second is NaN where a logit is not a finite number.
    """
    if not torch.isfinite(logits_V).all():
        return 0, float("nan")
    log_sum = torch.logsumexp(logits_V.double() / temperature, dim=0)
    return int(logits_V.argmax()), float(log_sum)


def largest(logits_V: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest logits and their tokens (int64), largest first, equal ones by token."""
    values, tokens = torch.sort(logits_V, descending=True, stable=True)
    return values[:count], tokens[:count]
