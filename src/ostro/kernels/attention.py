"""Grouped-query attention over paged keys and values (Ainslie et al., 2023; Kwon et al., 2023).

Keys lie in pages ``[P, N, d, S]`` and values in pages ``[P, N, S, d]``, so that both of attention's
products run along the last axis; a sequence owns the pages that its row of the page table names, in
order. The T rows of a step belong to sequences one after another; those of a
sequence are its newest tokens, whose keys are in the pages already.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """One sequence's part of a step."""

    rows: slice
    """Its rows among the T of the step."""
    length: int
    """L: its tokens in the cache, those of this step included."""
    pages: Tensor
    """Its pages, in order: int64 ``[ceil(L / S)]``."""


def append_kv(
    k_pages_PNdS: Tensor, v_pages_PNSd: Tensor, k_TNd: Tensor, v_TNd: Tensor, slots_T: Tensor
) -> None:
    """Write keys and values in place; slot ``p * S + s`` is slot s of page p."""
    slots = v_pages_PNSd.shape[2]
    pages_T, within_T = slots_T // slots, slots_T % slots
    k_pages_PNdS[pages_T, :, :, within_T] = k_TNd.to(k_pages_PNdS.dtype)
    v_pages_PNSd[pages_T, :, within_T] = v_TNd.to(v_pages_PNSd.dtype)


def paged_attention(
    q_THd: Tensor,
    k_pages_PNdS: Tensor,
    v_pages_PNSd: Tensor,
    spans: Sequence[Span],
    window: int | None,
) -> Tensor:
    """Attend causally: ``[T, H, d]``. A token sees the last ``window`` tokens, itself included."""
    outputs = [
        _attend(q_THd[span.rows], k_pages_PNdS, v_pages_PNSd, span, window) for span in spans
    ]
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _attend(
    q_tHd: Tensor, k_pages: Tensor, v_pages: Tensor, span: Span, window: int | None
) -> Tensor:
    t, heads, head_dim = q_tHd.shape
    kv_heads, page_slots = v_pages.shape[1], v_pages.shape[2]
    # The oldest key that this step's first token may see; whole pages before it are not read.
    first_seen = 0 if window is None else max(0, span.length - t + 1 - window)
    first_page = first_seen // page_slots
    pages = span.pages[first_page:]
    start = first_page * page_slots
    seen = span.length - start
    k_NLd = k_pages[pages].permute(1, 0, 3, 2).flatten(1, 2)[:, :seen].to(q_tHd.dtype)
    v_NLd = v_pages[pages].transpose(0, 1).flatten(1, 2)[:, :seen].to(q_tHd.dtype)
    if t == 1:
        # All G query heads of a key head are rows of one product; nothing is masked.
        skip = first_seen - start
        q_NGd = q_tHd.view(kv_heads, -1, head_dim)
        out = F.scaled_dot_product_attention(
            q_NGd[None], k_NLd[None, :, skip:], v_NLd[None, :, skip:]
        )
        return out.reshape(1, heads, head_dim)
    q_NGtd = q_tHd.transpose(0, 1).unflatten(0, (kv_heads, -1))
    groups = q_NGtd.shape[1]
    k_NGLd = k_NLd[:, None].expand(-1, groups, -1, -1)
    v_NGLd = v_NLd[:, None].expand(-1, groups, -1, -1)
    mask = causal_mask(t, span.length, start, window, q_tHd.device)
    out_NGtd = F.scaled_dot_product_attention(
        q_NGtd, k_NGLd, v_NGLd, attn_mask=mask, is_causal=mask is None
    )
    return out_NGtd.flatten(0, 1).transpose(0, 1)


def causal_mask(
    t: int, length: int, start: int, window: int | None, device: torch.device
) -> Tensor | None:
    """Boolean ``[t, length - start]``; None where plain causal attention over t tokens is meant."""
    if t == length and (window is None or window >= length):
        return None
    query = torch.arange(length - t, length, device=device)[:, None]
    key = torch.arange(start, length, device=device)
    mask = key <= query
    return mask if window is None else mask & (key > query - window)
