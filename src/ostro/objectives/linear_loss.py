"""Losses straight from the rows before the head, whose gradient is computed on the way.

The loss is a sum, so what flows back into it is one number. The gradients for 1 are therefore known
as soon as the logits are, and the logits of a chunk of rows are computed once: forward and backward
take three products in place of the four of computing them again (Hsu et al., 2024). Nothing as wide
as the vocabulary is kept.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Part = Callable[[slice, Tensor, bool], tuple[Tensor, Tensor | None]]
"""The loss of some rows, and its slopes by their logits.

Given which rows, their logits ``[C, V]`` in float32 or wider, which are theirs to overwrite, and
whether slopes ``[C, V]`` are wanted.
"""


def linear_loss(hidden_TD: Tensor, head_VD: Tensor, part: Part, *, chunk_rows: int) -> Tensor:
    """What ``part`` gives for the logits ``hidden_TD @ head_VD.T``, summed over all rows.

    A scalar, at least float32. Gradients flow to ``hidden_TD`` and ``head_VD``.
    """
    loss: Tensor = _LinearLoss.apply(  # type: ignore[no-untyped-call]
        hidden_TD, head_VD, part, chunk_rows, torch.is_grad_enabled()
    )
    return loss


class _LinearLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_TD: Tensor, head_VD: Tensor, part: Part, chunk_rows: int, learning: bool
    ) -> Tensor:
        wide = torch.promote_types(hidden_TD.dtype, torch.float32)
        total = hidden_TD.new_zeros((), dtype=wide)
        wants_hidden, wants_head = (learning and wanted for wanted in ctx.needs_input_grad[:2])
        for_hidden = torch.empty_like(hidden_TD) if wants_hidden else None
        # Chunks are added up in float32.
        for_head = torch.zeros_like(head_VD, dtype=wide) if wants_head else None
        for start in range(0, len(hidden_TD), chunk_rows):
            rows = slice(start, start + chunk_rows)
            logits_TV = (hidden_TD[rows] @ head_VD.T).to(wide)
            loss, slopes_TV = part(rows, logits_TV, wants_hidden or wants_head)
            total += loss
            if slopes_TV is None:
                continue
            slopes_TV = slopes_TV.to(hidden_TD.dtype)
            if for_hidden is not None:
                torch.mm(slopes_TV, head_VD, out=for_hidden[rows])
            if for_head is not None:
                for_head += slopes_TV.T @ hidden_TD[rows]
        ctx.save_for_backward(for_hidden, for_head)
        ctx.head_dtype = head_VD.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        for_hidden, for_head = ctx.saved_tensors
        (scale,) = gradients
        return (
            None if for_hidden is None else for_hidden * scale.to(for_hidden.dtype),
            None if for_head is None else (for_head * scale).to(ctx.head_dtype),
            None,
            None,
            None,
        )
