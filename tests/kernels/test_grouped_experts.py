"""The grouped mixture against the twin, forward and backward."""

import math

import pytest
import torch

from ostro.kernels import grouped_experts
from ostro.kernels.experts import mix_experts
from ostro.kernels.grouped_experts import mix_experts_grouped, sort_by_expert
from ostro.kernels.router import route

T, D, E, K, F = 37, 16, 8, 2, 24


def _inputs(dtype: torch.dtype, *, dim: int = D, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(T, dim), (E, dim), (E, 2 * F, dim), (E, dim, F)]
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    ]


def _gradients(mix, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The output's and all gradients of a sum that weighs every element otherwise."""
    x, router, gate_up, down = inputs
    y = mix(x, *route(x, router, K), gate_up, down)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), inputs)]


def test_gradients_equal_the_naive_loops_in_float64() -> None:
    inputs = _inputs(torch.float64)
    for got, expected in zip(
        _gradients(mix_experts_grouped, inputs), _gradients(mix_experts, inputs), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_grouped_products_are_near_the_loop_in_float64(dtype: torch.dtype, bound: float) -> None:
    inputs = _inputs(dtype)
    inputs[1] = inputs[1].detach().float().requires_grad_()  # The router is float32 always.
    # The same numbers, and by them the same choice, in float64.
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    for got, expected in zip(
        _gradients(mix_experts_grouped, inputs), _gradients(mix_experts, exact), strict=True
    ):
        assert ((got.double() - expected).norm() / expected.norm()).item() < bound


def test_rows_that_grouped_products_cannot_take_are_computed_all_the_same() -> None:
    inputs = _inputs(torch.float32, dim=10)  # 40 bytes a row.
    for got, expected in zip(
        _gradients(mix_experts_grouped, inputs), _gradients(mix_experts, inputs), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_experts_without_rows_have_a_gradient_of_zero() -> None:
    x, _, gate_up, down = _inputs(torch.float32)
    experts = torch.tensor([[2, 5]]).expand(T, K)
    weights = torch.full((T, K), 0.5)
    mix_experts_grouped(x, experts, weights, gate_up, down).sum().backward()
    for weight in (gate_up, down):
        assert weight.grad is not None
        used = weight.grad.flatten(1).abs().sum(1) > 0
        assert used.nonzero().flatten().tolist() == [2, 5]


def test_sorting_brings_every_pair_to_its_expert_and_back() -> None:
    experts = torch.randint(0, E, (T, K), generator=torch.Generator().manual_seed(3))
    order, back, ends = sort_by_expert(experts, E)
    pairs = experts.flatten()
    assert torch.equal(pairs[order], pairs.sort().values)
    assert torch.equal(order[back], torch.arange(T * K))
    assert ends.tolist() == [int((pairs <= expert).sum()) for expert in range(E)]
    assert ends.dtype == torch.int32


def test_experts_rows_can_be_filled_up_to_a_multiple() -> None:
    experts = torch.randint(0, E - 1, (T, K), generator=torch.Generator().manual_seed(3))
    order, back, ends = sort_by_expert(experts, E, multiple=8)
    pairs = experts.flatten()
    counts = pairs.bincount(minlength=E).tolist()
    rows = ends.diff(prepend=ends.new_zeros(1)).tolist()
    assert rows == [math.ceil(count / 8) * 8 for count in counts]
    assert rows[-1] == 0
    assert torch.equal(order[back], torch.arange(T * K))
    assert len(back.unique()) == T * K
    expert_of_row = torch.arange(E).repeat_interleave(torch.tensor(rows))
    assert torch.equal(expert_of_row[back], pairs)
    assert len(order) == sum(rows) > T * K


def test_rows_that_fill_up_change_nothing(monkeypatch) -> None:
    inputs = _inputs(torch.float64)
    expected = _gradients(mix_experts_grouped, inputs)

    def filled(experts, num_experts, multiple):
        return sort_by_expert(experts, num_experts, 32)

    monkeypatch.setattr(grouped_experts, "sort_by_expert", filled)
    for got, right in zip(_gradients(mix_experts_grouped, inputs), expected, strict=True):
        torch.testing.assert_close(got, right, rtol=1e-12, atol=1e-12)
