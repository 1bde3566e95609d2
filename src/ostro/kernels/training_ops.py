"""Operations with a backward pass of their own, where autograd's moves numbers around for nothing.

The forward values are the twins'. What autograd would do: save what can be had from the inputs,
fill zeros for every slice of a tensor and add them up, scatter where a gather will do.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def rotate(x_THd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """:func:`ostro.kernels.rope.rotate`; its gradient is turned back by the same angles."""
    rotated: Tensor = _Rotate.apply(x_THd, cos, sin)  # type: ignore[no-untyped-call]
    return rotated


def gated(gate_up_S2F: Tensor) -> Tensor:
    """silu(gate) * up, ``[S, F]``, of products that stand side by side."""
    hidden: Tensor = _Gated.apply(gate_up_S2F)  # type: ignore[no-untyped-call]
    return hidden


def dispatch(x_TD: Tensor, order_S: Tensor, back_S: Tensor) -> Tensor:
    """Each token's row for each of its slots, sorted by expert: ``[S, D]``.

    ``order_S`` and ``back_S`` are :func:`ostro.kernels.grouped_experts.sort_by_expert`'s.
    """
    rows: Tensor = _Dispatch.apply(x_TD, order_S, back_S)  # type: ignore[no-untyped-call]
    return rows


def reorder(rows_SD: Tensor, order_S: Tensor) -> Tensor:
    """The rows that ``order_S`` names, in its order and none of them twice: ``[S, D]``."""
    rows: Tensor = _Reorder.apply(rows_SD, order_S)  # type: ignore[no-untyped-call]
    return rows


def combine(outputs_TKD: Tensor, weights_TK: Tensor) -> Tensor:
    """:func:`ostro.kernels.experts.weighted_sum` in the outputs' dtype."""
    total: Tensor = _Combine.apply(outputs_TKD, weights_TK)  # type: ignore[no-untyped-call]
    return total


class _Combine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outputs_TKD: Tensor, weights_TK: Tensor) -> Tensor:
        ctx.save_for_backward(outputs_TKD, weights_TK)
        total_TD = outputs_TKD[:, 0] * weights_TK[:, 0, None]
        for slot in range(1, weights_TK.shape[1]):
            total_TD.addcmul_(outputs_TKD[:, slot], weights_TK[:, slot, None])
        return total_TD.to(outputs_TKD.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        outputs_TKD, weights_TK = ctx.saved_tensors
        (gradient_TD,) = gradients
        for_outputs = gradient_TD[:, None] * weights_TK[..., None].to(gradient_TD.dtype)
        # One row times K columns, for each token.
        for_weights = torch.bmm(outputs_TKD, gradient_TD[..., None])[..., 0]
        return for_outputs, for_weights.to(weights_TK.dtype)


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_THd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x_THd, cos, sin)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(gradients[0], cos, -sin), None, None


def _turned(x_THd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x_THd.to(torch.promote_types(x_THd.dtype, torch.float32)).chunk(2, dim=-1)
    half = first.shape[-1]
    turned = torch.empty(x_THd.shape, dtype=first.dtype, device=x_THd.device)
    torch.mul(first, cos, out=turned[..., :half]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=turned[..., half:]).addcmul_(first, sin)
    return turned.to(x_THd.dtype)


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up_S2F: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up_S2F)
        gate_SF, up_SF = gate_up_S2F.chunk(2, dim=-1)
        return F.silu(gate_SF).mul_(up_SF)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gate_up_S2F,) = ctx.saved_tensors
        gate_SF, up_SF = gate_up_S2F.chunk(2, dim=-1)
        result = torch.empty_like(gate_up_S2F)
        for_gate, for_up = result.chunk(2, dim=-1)
        torch.mul(F.silu(gate_SF), gradients[0], out=for_up)
        torch.ops.aten.silu_backward.grad_input(gradients[0] * up_SF, gate_SF, grad_input=for_gate)
        return result


class _Dispatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TD: Tensor, order_S: Tensor, back_S: Tensor) -> Tensor:
        slots = len(back_S) // max(len(x_TD), 1)
        ctx.save_for_backward(back_S)
        ctx.slots = slots
        return x_TD.index_select(0, order_S // max(slots, 1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (back_S,) = ctx.saved_tensors
        by_token_TKD = gradients[0].index_select(0, back_S).unflatten(0, (-1, ctx.slots))
        return by_token_TKD.sum(1), None, None


class _Reorder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows_SD: Tensor, order_S: Tensor) -> Tensor:
        ctx.save_for_backward(order_S)
        ctx.rows = len(rows_SD)
        return rows_SD.index_select(0, order_S)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (order_S,) = ctx.saved_tensors
        # Rows that nobody named, such as those that fill up an expert's, have no slope.
        for_rows = gradients[0].new_zeros(ctx.rows, *gradients[0].shape[1:])
        return for_rows.index_copy_(0, order_S, gradients[0]), None
