"""Rows with rules of their own: parity with the twin, and bits free of neighbours."""

import pytest
import torch
from torch import Tensor

from expert_layer import E, Layer, random_rows
from native_library import contexts
from ostro.kernels.native import NativeContext
from ostro.kernels.native_rows import native_steering
from ostro.kernels.router import RouterRule, RowRules

ALL = (1 << E) - 1
FACTORS = (1.0, 0.5, -2.0, 0.0, 3.0, 1.0, 1.0, 0.25)
RULES = (
    RouterRule(ALL, 0, 2),
    RouterRule(ALL, 0, 8),
    RouterRule(ALL, 0, 1, FACTORS),
    RouterRule(0b00001111, 0b00001000, 3),
    RouterRule(ALL, 0b10000001, 2, FACTORS),
    RouterRule(0b11110111, 0b01000000, 5),
)


def _rules(numbers: list[int], slots: int = 8) -> RowRules:
    return RowRules(torch.tensor(numbers, dtype=torch.int32), RULES, slots)


def _mixed(rows: int) -> list[int]:
    """Every rule and none, in turn."""
    return [row % (len(RULES) + 1) - 1 for row in range(rows)]


@pytest.fixture(scope="module")
def native() -> NativeContext:
    return contexts(threads=2)["avx2"]


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_it_is_its_twin(native, rows) -> None:
    layer, x, rules = Layer(native, "F32"), random_rows(rows), _rules(_mixed(rows))
    expected, chosen = layer.twin(x, rules)
    torch.testing.assert_close(layer.run(x, rules), expected, rtol=1e-4, atol=1e-3)
    assert torch.equal(layer.layer.routing[0].long(), chosen)


def test_the_recorded_weights_are_those_of_the_twin(native) -> None:
    from ostro.kernels.rms_norm import rms_norm
    from ostro.kernels.router import route

    layer, x, rules = Layer(native, "F32"), random_rows(21), _rules(_mixed(21))
    layer.run(x, rules)
    experts, weights = route(rms_norm(x, layer.norm, 1e-5), layer.router, 2, rules)
    torch.testing.assert_close(layer.layer.routing[1], weights, rtol=1e-4, atol=1e-6)
    unused = experts < 0
    assert unused.any()
    assert (layer.layer.routing[0][unused] == -1).all()
    assert (layer.layer.routing[1][unused] == 0).all()


def test_an_early_look_sees_the_same_experts(native) -> None:
    layer, x, rules = Layer(native, "F32"), random_rows(3), _rules([3, -1, 4])
    wanted = native.route(layer.layer, x, native_steering(rules))
    layer.run(x, rules)
    chosen = set(layer.layer.routing[0].flatten().tolist()) - {-1}
    assert wanted == sorted(chosen) == sorted(set(layer.fetched))


def _each_alone(layer: Layer, x: Tensor, numbers: list[int]) -> Tensor:
    """Every row in a step of its own; a plain row without steering at all."""
    alone = []
    for row, number in zip(x.split(1), numbers, strict=True):
        slots = 2 if number < 0 else RULES[number].top_k
        alone.append(layer.run(row, None if number < 0 else _rules([number], slots)))
    return torch.cat(alone)


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_K"])
@pytest.mark.parametrize("precise", [False, True])
def test_bits_do_not_depend_on_neighbours_threads_or_instruction_set(kind, precise) -> None:
    x, numbers, whole = random_rows(43), _mixed(43), None
    order = torch.randperm(43, generator=torch.Generator().manual_seed(1))
    for threads in (1, 3):
        for context in contexts(threads).values():
            layer = Layer(context, kind, precise=precise)
            whole = _each_alone(layer, x, numbers) if whole is None else whole
            assert torch.equal(layer.run(x, _rules(numbers)), whole)
            shuffled = [numbers[row] for row in order]
            assert torch.equal(layer.run(x[order], _rules(shuffled)), whole[order])
            assert torch.equal(_each_alone(layer, x[:9], numbers[:9]), whole[:9])


def test_forcing_what_is_chosen_anyway_changes_no_bit(native) -> None:
    layer, x = Layer(native, "Q4_0"), random_rows(1)
    plain = layer.run(x)
    best, second = layer.layer.routing[0][0].tolist()
    for forced in ({best}, {second}, {best, second}):
        rule = RouterRule(ALL, sum(1 << e for e in forced), 2, (1.0,) * E)
        rules = RowRules(torch.zeros(1, dtype=torch.int32), (rule,), 8)
        assert torch.equal(layer.run(x, rules), plain)
