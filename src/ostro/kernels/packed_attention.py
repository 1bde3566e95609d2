"""Grouped-query attention over whole sequences that stand one after another, as in training.

No token sees another sequence's. On a CPU every sequence is attended on its own; on a GPU one call
takes them all.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ostro.errors import OstroError
from ostro.kernels.attention import causal_mask


def packed_attention(
    q_THd: Tensor, k_TNd: Tensor, v_TNd: Tensor, lengths: Sequence[int], window: int | None
) -> Tensor:
    """Attend causally within each sequence: ``[T, H, d]``.

    ``lengths`` are the sequences' rows, which sum to T. A token sees the last ``window`` tokens,
    itself included.
    """
    if q_THd.is_cuda and q_THd.dtype.itemsize == 2:
        return _varlen_attention(q_THd, k_TNd, v_TNd, lengths, window)
    if len(set(lengths)) == 1:  # Windows of one length are a batch as they are.
        return _attend(q_THd, k_TNd, v_TNd, len(lengths), window)
    parts = zip(*(x.split(list(lengths)) for x in (q_THd, k_TNd, v_TNd)), strict=True)
    return torch.cat([_attend(q_tHd, k_tNd, v_tNd, 1, window) for q_tHd, k_tNd, v_tNd in parts])


def _attend(
    q_THd: Tensor, k_TNd: Tensor, v_TNd: Tensor, sequences: int, window: int | None
) -> Tensor:
    """So many sequences of one length."""
    q, k, v = (x.unflatten(0, (sequences, -1)).transpose(1, 2) for x in (q_THd, k_TNd, v_TNd))
    length = q.shape[2]
    mask = causal_mask(length, length, 0, window, q.device)
    out = F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=q.shape[1] != k.shape[1]
    )
    return out.transpose(1, 2).flatten(0, 1)


def _varlen_attention(
    q_THd: Tensor, k_TNd: Tensor, v_TNd: Tensor, lengths: Sequence[int], window: int | None
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    starts = torch.tensor([0, *lengths], device=q_THd.device).cumsum(0).to(torch.int32)
    groups, longest = q_THd.shape[1] // k_TNd.shape[1], max(lengths)
    k_THd, v_THd = (x.repeat_interleave(groups, dim=1) for x in (k_TNd, v_TNd))
    if "is_causal" in signature(varlen_attn).parameters:  # An earlier torch.
        if window is not None:
            raise OstroError("a sliding window on a GPU needs a newer torch")
        seen: dict[str, Any] = {"is_causal": True}
    else:
        seen = {"window_size": (-1 if window is None else window - 1, 0)}
    out_THd = varlen_attn(q_THd, k_THd, v_THd, starts, starts, longest, longest, **seen)
    assert isinstance(out_THd, Tensor)
    return out_THd
