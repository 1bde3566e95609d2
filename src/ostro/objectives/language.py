"""Log probabilities of the tokens that follow, and the causal language model's loss.

Logits of a large vocabulary would take more memory than the rest of a step: 16,384 rows of 49,152
take 3.2 GB in float32, and their gradients as much again. So they are computed for a chunk of rows
at a time, forward and backward, and never kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ostro.objectives.linear_cross_entropy import linear_cross_entropy

IGNORED = -100
"""The target of a row after which nothing is to be learned, as in PyTorch."""
CHUNK_ROWS = 512


@dataclass(frozen=True)
class Sum:
    """A loss summed over ``count`` tokens.

    Sums, and not means, are what may be added: over the parts of a batch, over ranks. Means of
    parts of different length are not the mean of the whole.
    """

    total: Tensor
    """A scalar, at least float32."""
    count: int

    @property
    def mean(self) -> Tensor:
        """For each token; 0 where there are none."""
        return self.total / max(self.count, 1)

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.total + other.total, self.count + other.count)


def causal_lm(
    hidden_TD: Tensor, head_VD: Tensor, targets_T: Tensor, *, chunk_rows: int = CHUNK_ROWS
) -> Sum:
    """Cross entropy of the targets, summed over those that are not :data:`IGNORED`.

    ``hidden_TD`` are the rows that the head reads, after the last norm; row t is to tell
    ``targets_T[t]``, the token after it.
    """
    counted = (targets_T != IGNORED).nonzero().squeeze(1)
    if len(counted) < len(targets_T):
        hidden_TD, targets_T = hidden_TD[counted], targets_T[counted]
    total = linear_cross_entropy(hidden_TD, head_VD, targets_T, chunk_rows=chunk_rows)
    return Sum(total, len(counted))


def token_logprobs(
    hidden_TD: Tensor, head_VD: Tensor, targets_T: Tensor, *, chunk_rows: int = CHUNK_ROWS
) -> Tensor:
    """Each target's log probability, ``[T]`` in float32 or wider; 0 where it is ignored."""
    counted = (targets_T != IGNORED).nonzero().squeeze(1)

    def part(hidden_TD: Tensor, head_VD: Tensor, targets_T: Tensor) -> Tensor:
        logits_TV = widened(hidden_TD @ head_VD.T)
        chosen_T = logits_TV.gather(1, targets_T[:, None]).squeeze(1)
        return chosen_T - logits_TV.logsumexp(1)

    chunks = in_chunks(part, counted, hidden_TD, head_VD, targets_T, chunk_rows=chunk_rows)
    zeros_T = widened(hidden_TD.new_zeros(len(targets_T)))
    return zeros_T.index_put((counted,), torch.cat([zeros_T[:0], *chunks]))


def widened(x: Tensor) -> Tensor:
    """In float32, unless it is that or wider: sums over a vocabulary want it."""
    return x.float() if x.dtype.itemsize < 4 else x


def in_chunks(
    part: Callable[[Tensor, Tensor, Tensor], Tensor],
    rows: Tensor,
    hidden_TD: Tensor,
    head_VD: Tensor,
    others_T: Tensor,
    *,
    chunk_rows: int,
) -> Iterator[Tensor]:
    """``part(hidden, head, others)`` of the given rows, so many at a time.

    What a part computes in between is not kept for the backward pass but computed again.
    """
    for some in rows.split(chunk_rows):
        yield checkpoint(part, hidden_TD[some], head_VD, others_T[some], use_reentrant=False)
