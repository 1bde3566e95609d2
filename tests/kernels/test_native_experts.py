"""The expert half of a layer: parity with its twin, routing, missing experts, equal bits."""

import pytest
import torch

from expert_layer import D, E, Layer, random_rows
from native_library import contexts
from ostro.kernels.native import NativeContext
from random_blocks import TYPES

DENSE = ("F32", "F16", "BF16")


@pytest.fixture(scope="module")
def native() -> NativeContext:
    return contexts(threads=2)["avx2"]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_it_is_its_twin(native, kind, rows) -> None:
    layer, x = Layer(native, kind), random_rows(rows)
    found = layer.run(x)
    expected, chosen = layer.twin(x)
    assert torch.equal(layer.layer.routing[0].long(), chosen)
    error = (found - expected).norm() / (expected - x).norm()
    assert error < (1e-5 if kind in DENSE else 6e-2)
    assert sorted(set(layer.fetched)) == sorted(set(chosen.flatten().tolist()))


def test_two_part_activations_are_much_closer(native) -> None:
    x = random_rows(20)
    errors = []
    for precise in (False, True):
        layer = Layer(native, "Q4_0", precise=precise)
        expected, _ = layer.twin(x)
        errors.append(float((layer.run(x) - expected).norm() / (expected - x).norm()))
    assert errors[1] < 0.75 * errors[0]  # What goes into down is still rounded once.


@pytest.mark.parametrize("top_k", [1, 2, 3, 8])
def test_any_number_of_experts_a_token(native, top_k) -> None:
    layer, x = Layer(native, "F32", top_k=top_k), random_rows(9)
    torch.testing.assert_close(layer.run(x), layer.twin(x)[0], rtol=1e-4, atol=1e-3)


def test_one_expert_may_take_every_token(native) -> None:
    router = torch.zeros(E, D)
    router[3] = 1
    layer, x = Layer(native, "F32", top_k=1, router=router), random_rows(33).abs()
    found = layer.run(x)
    assert layer.fetched == [3]
    torch.testing.assert_close(found, layer.twin(x)[0], rtol=1e-4, atol=1e-3)


def test_of_equal_logits_the_lower_experts_are_taken(native) -> None:
    layer = Layer(native, "F32", router=torch.zeros(E, D))
    layer.run(random_rows(3))
    assert layer.layer.routing[0].tolist() == [[0, 1]] * 3
    assert layer.layer.routing[1].tolist() == [[0.5, 0.5]] * 3


def test_a_hidden_width_that_is_not_whole_pieces(native) -> None:
    for kind, width in (("F32", 200), ("Q4_0", 96), ("Q8_0", 608)):
        layer, x = Layer(native, kind, ffn_dim=width), random_rows(6)
        expected = layer.twin(x)[0]
        assert (layer.run(x) - expected).norm() / (expected - x).norm() < 4e-2


def test_nothing_is_computed_until_all_chosen_experts_are_there(native) -> None:
    layer, x = Layer(native, "Q4_0"), random_rows(12)
    seen = []
    fetch = layer.layer.fetch

    def one_at_a_time(numbers) -> None:
        seen.append(tuple(numbers))
        fetch(numbers[:1])

    layer.layer.fetch = one_at_a_time
    found = layer.run(x)
    assert len(seen) > 1
    assert [len(numbers) for numbers in seen] == list(range(len(seen[0]), 0, -1))
    assert torch.equal(found, Layer(native, "Q4_0").run(x))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("precise", [False, True])
def test_bits_do_not_depend_on_rows_threads_or_instruction_set(kind, precise) -> None:
    x, whole = random_rows(43), None
    for threads in (1, 4):
        for context in contexts(threads).values():
            layer = Layer(context, kind, precise=precise)
            for count in (43, 9, 1):
                found = torch.cat([layer.run(part) for part in x.split(count)])
                whole = found if whole is None else whole
                assert torch.equal(found, whole)
