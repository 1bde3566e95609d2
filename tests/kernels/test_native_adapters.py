"""Rows with adapters: parity with the twins, and bits free of neighbours."""

import pytest
import torch
from torch import Tensor

import attention_layer
import expert_layer
from native_library import contexts
from ostro.kernels.attention import Span
from ostro.kernels.lora import ExpertLowRank, LowRank
from ostro.kernels.native import NativeContext
from ostro.kernels.native_rows import NativeAdapters, NativeLowRanks, native_adapters
from ostro.kernels.router import RouterRule, RowRules

D, F, E = expert_layer.D, expert_layer.F, expert_layer.E
Q, N = 8 * 32, 2 * 32  # What attention's query and key heads take together.


def _low_rank(rank: int, rows: int, columns: int, seed: int) -> LowRank:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(rank, columns, generator=generator) / columns**0.5
    b = torch.randn(rows, rank, generator=generator) / rank**0.5
    return LowRank(a, b, 0.7)


def _experts(rank: int, seed: int, *, partial: bool = False) -> tuple[ExpertLowRank, ...]:
    """An adapter of all experts; ``partial``: of some matrices of some of them."""
    return tuple(
        ExpertLowRank(
            None if partial and e % 2 else _low_rank(rank, F, D, seed + 3 * e),
            None if partial and e % 3 else _low_rank(rank + 2, F, D, seed + 3 * e + 1),
            None if partial and e % 4 else _low_rank(rank, D, F, seed + 3 * e + 2),
        )
        for e in range(E)
    )


def _attention(rank: int, seed: int, *, partial: bool = False) -> tuple[LowRank | None, ...]:
    shapes = ((Q, D), (N, D), (N, D), (D, Q))
    return tuple(
        None if partial and i % 2 else _low_rank(rank + i, *shape, seed + i)
        for i, shape in enumerate(shapes)
    )


EXPERTS = (_experts(4, 0), _experts(1, 100, partial=True), _experts(16, 200))
ATTENTION = (_attention(4, 0), _attention(1, 100, partial=True), _attention(16, 200))
NATIVE_EXPERTS = [NativeLowRanks([x for e in a for x in (e.gate, e.up, e.down)]) for a in EXPERTS]
NATIVE_ATTENTION = [NativeLowRanks(adapter) for adapter in ATTENTION]


def _rows(numbers: list[int], adapters: list[NativeLowRanks]) -> NativeAdapters:
    found = native_adapters(torch.tensor(numbers, dtype=torch.int32), adapters)
    assert found is not None
    return found


def _mixed(rows: int) -> list[int]:
    """Every adapter and none, in turn."""
    return [row % 4 - 1 for row in range(rows)]


@pytest.fixture(scope="module")
def native() -> NativeContext:
    return contexts(threads=2)["avx2"]


@pytest.mark.parametrize("rows", [1, 6, 40])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_experts_are_their_twin(native, rows, number) -> None:
    layer, x = expert_layer.Layer(native, "F32"), expert_layer.random_rows(rows)
    expected = layer.twin(x, adapter=EXPERTS[number])[0]
    found = layer.run(x, adapters=_rows([number] * rows, NATIVE_EXPERTS))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    assert (expected - layer.twin(x)[0]).norm() > 0.02 * (expected - x).norm()


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0", "Q4_K"])
def test_quantised_experts_stay_close_to_their_twin(native, kind) -> None:
    layer, x = expert_layer.Layer(native, kind, precise=True), expert_layer.random_rows(9)
    expected = layer.twin(x, adapter=EXPERTS[2])[0]
    found = layer.run(x, adapters=_rows([2] * 9, NATIVE_EXPERTS))
    assert (found - expected).norm() / (expected - x).norm() < 4e-2


def test_a_hidden_width_that_is_not_whole_pieces(native) -> None:
    layer, x = expert_layer.Layer(native, "F32", ffn_dim=208), expert_layer.random_rows(5)
    adapter = tuple(
        ExpertLowRank(
            _low_rank(3, 208, D, e), _low_rank(3, 208, D, e + 50), _low_rank(3, D, 208, e)
        )
        for e in range(E)
    )
    loras = NativeLowRanks([x for e in adapter for x in (e.gate, e.up, e.down)])
    found = layer.run(x, adapters=_rows([0] * 5, [loras]))
    torch.testing.assert_close(found, layer.twin(x, adapter=adapter)[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("length", [1, 7, 70])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_attention_is_its_twin(native, length, number) -> None:
    layer = attention_layer.Layer(native, heads=8)
    x, spans = attention_layer.random_rows(length, D), attention_layer.whole(length)
    expected = layer.twin(x, layer.cache(4, "F32"), spans, ATTENTION[number])
    adapters = _rows([number] * length, NATIVE_ATTENTION)
    found = layer.run(x, layer.cache(4, "F32"), spans, adapters)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def _experts_alone(layer: expert_layer.Layer, x: Tensor, numbers: list[int]) -> Tensor:
    """Each row in a step of its own; a row without an adapter in one without adapters."""
    return torch.cat(
        [
            layer.run(row, adapters=None if n < 0 else _rows([0], [NATIVE_EXPERTS[n]]))
            for row, n in zip(x.split(1), numbers, strict=True)
        ]
    )


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_K"])
def test_bits_of_experts_do_not_depend_on_neighbours(kind) -> None:
    x, numbers, whole = expert_layer.random_rows(43), _mixed(43), None
    order = torch.randperm(43, generator=torch.Generator().manual_seed(1))
    for threads in (1, 3):
        for context in contexts(threads).values():
            layer = expert_layer.Layer(context, kind, precise=kind == "Q8_0")
            whole = _experts_alone(layer, x, numbers) if whole is None else whole
            assert torch.equal(layer.run(x, adapters=_rows(numbers, NATIVE_EXPERTS)), whole)
            shuffled = _rows([numbers[row] for row in order], NATIVE_EXPERTS)
            assert torch.equal(layer.run(x[order], adapters=shuffled), whole[order])
            assert torch.equal(_experts_alone(layer, x[:9], numbers[:9]), whole[:9])


def test_steering_and_adapters_go_together(native) -> None:
    layer, x = expert_layer.Layer(native, "Q8_0"), expert_layer.random_rows(8)
    rule = RouterRule((1 << E) - 1, 1 << 3, 5)
    steered, adapted = [0, 0, -1, -1] * 2, [1, -1, 2, -1] * 2

    def run(rows: slice) -> Tensor:
        rules = RowRules(torch.tensor(steered[rows], dtype=torch.int32), (rule,), 5)
        return layer.run(x[rows], rules, _rows(adapted[rows], NATIVE_EXPERTS))

    whole = run(slice(0, 8))
    assert torch.equal(whole, torch.cat([run(slice(row, row + 1)) for row in range(8)]))
    assert torch.equal(whole[3::4], layer.run(x[3::4]))


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_bits_of_attention_do_not_depend_on_neighbours(kind) -> None:
    """Four sequences: one of each adapter, and a plain one; together and alone, in any order."""
    lengths, expected = [70, 1, 33, 40], None
    inputs = [attention_layer.random_rows(n, D, n) for n in lengths]
    for threads in (1, 3):
        for context in contexts(threads).values():
            layer = attention_layer.Layer(context, kind, heads=8)
            alone = []
            for number, x in enumerate(inputs, start=-1):
                adapters = None if number < 0 else _rows([0] * len(x), [NATIVE_ATTENTION[number]])
                spans = attention_layer.whole(len(x))
                alone.append(layer.run(x, layer.cache(4, "F16"), spans, adapters))
            expected = expected or alone
            for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
                found = _together(layer, [(inputs[i], i - 1) for i in order])
                for i, rows in zip(order, found, strict=True):
                    assert torch.equal(rows, expected[i])


def _together(layer: attention_layer.Layer, parts: list[tuple[Tensor, int]]) -> tuple[Tensor, ...]:
    spans, numbers, start = [], [], 0
    for index, (x, number) in enumerate(parts):
        pages = torch.arange(3 * index, 3 * index + 3)
        spans.append(Span(slice(start, start + len(x)), len(x), pages))
        numbers += [number] * len(x)
        start += len(x)
    adapters = _rows(numbers, NATIVE_ATTENTION)
    found = layer.run(torch.cat([x for x, _ in parts]), layer.cache(12, "F16"), spans, adapters)
    return found.split([len(x) for x, _ in parts])


def test_an_adapter_that_adds_nothing_here_is_none() -> None:
    nothing = NativeLowRanks([None] * 4)
    assert native_adapters(torch.tensor([0], dtype=torch.int32), [nothing]) is None
