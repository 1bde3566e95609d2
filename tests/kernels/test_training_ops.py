"""Backward passes of our own against numerical gradients, and values against the twins."""

import pytest
import torch
import torch.nn.functional as F

from ostro.kernels import rope
from ostro.kernels.experts import weighted_sum
from ostro.kernels.grouped_experts import sort_by_expert
from ostro.kernels.training_ops import combine, dispatch, gated, reorder, rotate


def _random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def _order() -> tuple[torch.Tensor, torch.Tensor]:
    experts = torch.tensor([[2, 0], [1, 2], [0, 1], [2, 1], [3, 0]])
    order, back, _ = sort_by_expert(experts, 4)
    return order, back


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_turning_is_the_twins(dtype: torch.dtype) -> None:
    x, angles = _random(7, 3, 8, dtype=dtype), rope.rope_angles(torch.arange(7), 8, 1e4)
    bound = 1e-6 if dtype == torch.float32 else 1e-2  # One rounding less, or one of bfloat16's.
    torch.testing.assert_close(rotate(x, *angles), rope.rotate(x, *angles), rtol=bound, atol=bound)


def test_turnings_gradient_is_right() -> None:
    cos, sin = (x.double() for x in rope.rope_angles(torch.arange(5), 6, 1e4))
    x = _random(5, 2, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: rotate(x, cos, sin), [x])


def test_gating_is_its_formula_and_its_gradient_right() -> None:
    x = _random(6, 10).requires_grad_()
    gate, up = x.chunk(2, dim=-1)
    torch.testing.assert_close(gated(x), F.silu(gate) * up)
    assert torch.autograd.gradcheck(gated, [x])


def test_rows_go_to_their_experts_and_gradients_come_back() -> None:
    order, back = _order()
    x = _random(5, 3).requires_grad_()
    assert torch.equal(dispatch(x, order, back), x[order // 2])
    assert torch.autograd.gradcheck(lambda x: dispatch(x, order, back), [x])


def test_reordered_rows_and_their_gradients() -> None:
    order, back = _order()
    rows = _random(10, 3).requires_grad_()
    assert torch.equal(reorder(rows, back), rows[back])
    assert torch.equal(reorder(reorder(rows, order), back), rows)
    for some in (order, order[:7]):
        assert torch.autograd.gradcheck(lambda rows, some=some: reorder(rows, some), [rows])


def test_combining_is_the_weighted_sum_and_its_gradients_right() -> None:
    outputs, weights = _random(5, 2, 3).requires_grad_(), _random(5, 2).requires_grad_()
    torch.testing.assert_close(
        combine(outputs, weights), weighted_sum(outputs, weights, torch.float64)
    )
    assert torch.autograd.gradcheck(combine, [outputs, weights])
