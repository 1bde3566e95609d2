"""The expert half of a layer: parity with its twin, routing, missing experts, equal bits."""

import ctypes

import pytest
import torch
from torch import Tensor

from native_library import contexts
from ostro.kernels.experts import mix_experts
from ostro.kernels.native import NativeContext, PackedExperts
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.router import route
from ostro.kernels.structures import Expert, ExpertsLayer, Matrix
from random_blocks import TYPES, Packed

D, F, E, EPS = 256, 512, 8, 1e-5
DENSE = ("F32", "F16", "BF16")


class Layer:
    """One random mixture, in packed form and as numbers."""

    def __init__(
        self,
        context: NativeContext,
        kind: str,
        *,
        top_k: int = 2,
        router: Tensor | None = None,
        precise: bool = False,
        ffn_dim: int = F,
    ) -> None:
        self.context, self.top_k, self.fetched = context, top_k, []
        self.packed = [
            [
                Packed(context, kind, ffn_dim, D, 3 * e),
                Packed(context, kind, ffn_dim, D, 3 * e + 1),
                Packed(context, kind, D, ffn_dim, 3 * e + 2),
            ]
            for e in range(E)
        ]
        self.norm = torch.rand(D, generator=torch.Generator().manual_seed(9)) / 8
        generator = torch.Generator().manual_seed(8)
        self.router = torch.randn(E, D, generator=generator) if router is None else router
        self.packed_router = torch.empty(context.packed_bytes("F32", E, D), dtype=torch.uint8)
        context.pack("F32", self.router.contiguous(), E, D, self.packed_router.data_ptr())
        self.experts = (Expert * E)()
        for expert, packed in zip(self.experts, self.packed, strict=True):
            expert.gate, expert.up, expert.down = (self._absent(p.matrix) for p in packed)
        struct = ExpertsLayer(
            self.norm.data_ptr(),
            self.packed_router.data_ptr(),
            ctypes.cast(self.experts, ctypes.POINTER(Expert)),
            EPS,
            D,
            ffn_dim,
            E,
            top_k,
            precise,
        )
        self.layer = PackedExperts(struct, self.experts, self._fetch)
        self.layer.keeps_routing = True

    @staticmethod
    def _absent(matrix: Matrix) -> Matrix:
        return Matrix(None, matrix.type, matrix.rows, matrix.columns)

    def _fetch(self, numbers) -> None:
        self.fetched += numbers
        for number in numbers:
            self.experts[number] = Expert(*(p.matrix for p in self.packed[number]))

    def run(self, x: Tensor) -> Tensor:
        out = x.clone()
        self.context.experts_layer(self.layer, out)
        return out

    def twin(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = rms_norm(x, self.norm, EPS)
        chosen, weights = route(h, self.router, self.top_k)
        gate_up = torch.stack([torch.cat((g.numbers, u.numbers)) for g, u, _ in self.packed])
        down = torch.stack([d.numbers for _, _, d in self.packed])
        return x + mix_experts(h, chosen, weights, gate_up, down), chosen


def _random(rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, D, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def native() -> NativeContext:
    return contexts(threads=2)["avx2"]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_it_is_its_twin(native, kind, rows) -> None:
    layer, x = Layer(native, kind), _random(rows)
    found = layer.run(x)
    expected, chosen = layer.twin(x)
    assert torch.equal(layer.layer.routing[0].long(), chosen)
    error = (found - expected).norm() / (expected - x).norm()
    assert error < (1e-5 if kind in DENSE else 6e-2)
    assert sorted(set(layer.fetched)) == sorted(set(chosen.flatten().tolist()))


def test_two_part_activations_are_much_closer(native) -> None:
    x = _random(20)
    errors = []
    for precise in (False, True):
        layer = Layer(native, "Q4_0", precise=precise)
        expected, _ = layer.twin(x)
        errors.append(float((layer.run(x) - expected).norm() / (expected - x).norm()))
    assert errors[1] < 0.75 * errors[0]  # What goes into down is still rounded once.


@pytest.mark.parametrize("top_k", [1, 2, 3, 8])
def test_any_number_of_experts_a_token(native, top_k) -> None:
    layer, x = Layer(native, "F32", top_k=top_k), _random(9)
    torch.testing.assert_close(layer.run(x), layer.twin(x)[0], rtol=1e-4, atol=1e-3)


def test_one_expert_may_take_every_token(native) -> None:
    router = torch.zeros(E, D)
    router[3] = 1
    layer, x = Layer(native, "F32", top_k=1, router=router), _random(33).abs()
    found = layer.run(x)
    assert layer.fetched == [3]
    torch.testing.assert_close(found, layer.twin(x)[0], rtol=1e-4, atol=1e-3)


def test_of_equal_logits_the_lower_experts_are_taken(native) -> None:
    layer = Layer(native, "F32", router=torch.zeros(E, D))
    layer.run(_random(3))
    assert layer.layer.routing[0].tolist() == [[0, 1]] * 3
    assert layer.layer.routing[1].tolist() == [[0.5, 0.5]] * 3


def test_a_hidden_width_that_is_not_whole_pieces(native) -> None:
    for kind, width in (("F32", 200), ("Q4_0", 96), ("Q8_0", 608)):
        layer, x = Layer(native, kind, ffn_dim=width), _random(6)
        expected = layer.twin(x)[0]
        assert (layer.run(x) - expected).norm() / (expected - x).norm() < 4e-2


def test_nothing_is_computed_until_all_chosen_experts_are_there(native) -> None:
    layer, x = Layer(native, "Q4_0"), _random(12)
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
    x, whole = _random(43), None
    for threads in (1, 4):
        for context in contexts(threads).values():
            layer = Layer(context, kind, precise=precise)
            for count in (43, 9, 1):
                found = torch.cat([layer.run(part) for part in x.split(count)])
                whole = found if whole is None else whole
                assert torch.equal(found, whole)
