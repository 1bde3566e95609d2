"""The attention half of a layer: parity with its twin, and bits free of neighbours."""

import pytest
import torch

from attention_layer import Layer, random_rows, whole
from native_library import contexts
from ostro.kernels.attention import Span
from ostro.kernels.native import NativeContext
from ostro.kernels.rope import rope_angles
from random_blocks import TYPES

LONG = 1100  # Past four segments of 256 keys.


@pytest.fixture(scope="module")
def native() -> NativeContext:
    return contexts(threads=2)["avx2"]


@pytest.mark.parametrize("window", [None, 1, 40, 700])
@pytest.mark.parametrize("length", [1, 33, 70, LONG])
def test_it_is_its_twin(native, window, length) -> None:
    layer = Layer(native, window=window)
    x, spans = random_rows(length, layer.dim), whole(length)
    found = layer.run(x, layer.cache(40, "F32"), spans)
    expected = layer.twin(x, layer.cache(40, "F32"), spans)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "tolerance"), [("F16", 2e-3), ("BF16", 2e-2), ("Q8_0", 2e-2)])
def test_keys_and_values_may_be_kept_narrower(native, kind, tolerance) -> None:
    layer = Layer(native)
    x, spans = random_rows(70, layer.dim), whole(70)
    exact = layer.run(x, layer.cache(4, "F32"), spans) - x
    narrow = layer.run(x, layer.cache(4, kind), spans) - x
    error = (narrow - exact).norm() / exact.norm()
    assert 1e-6 < error < tolerance


@pytest.mark.parametrize("kind", TYPES)
def test_quantised_layers_stay_close_to_their_twin(native, kind) -> None:
    layer = Layer(native, kind)
    x, spans = random_rows(40, layer.dim), whole(40)
    found = layer.run(x, layer.cache(4, "F32"), spans) - x
    expected = layer.twin(x, layer.cache(4, "F32"), spans) - x
    assert (found - expected).norm() / expected.norm() < 3e-2


@pytest.mark.parametrize("cache_kind", ["F32", "F16", "BF16", "Q8_0"])
@pytest.mark.parametrize("kind", ["F32", "Q4_0", "Q4_K"])
def test_bits_do_not_depend_on_chunks_pages_or_threads(kind, cache_kind) -> None:
    x, whole = random_rows(LONG, 256), None
    orders = [torch.arange(40), torch.randperm(40, generator=torch.Generator().manual_seed(5))]
    for threads in (1, 3):
        for context in contexts(threads).values():
            layer = Layer(context, kind)
            for chunk, order in ((LONG, orders[0]), (37, orders[1]), (512, orders[1])):
                cache, parts = layer.cache(40, cache_kind), []
                for start in range(0, LONG, chunk):
                    part = x[start : start + chunk]
                    end = start + len(part)
                    parts.append(layer.run(part, cache, [Span(slice(0, len(part)), end, order)]))
                found = torch.cat(parts)
                whole = found if whole is None else whole
                assert torch.equal(found, whole)


@pytest.mark.parametrize("window", [None, 50])
def test_sequences_of_one_step_do_not_see_each_other(window) -> None:
    lengths, new = [530, 1, 90], [1, 1, 90]
    pages = torch.randperm(30, generator=torch.Generator().manual_seed(6))
    tables = [pages[:17].clone(), pages[17:18].clone(), pages[18:21].clone()]
    for context in contexts(2).values():
        layer = Layer(context, "Q4_0", window=window)
        alone, together = [], layer.cache(30, "F16")
        rows, spans, inputs = 0, [], []
        for index, (length, count, table) in enumerate(zip(lengths, new, tables, strict=True)):
            past, now = random_rows(length - count, 256, index), random_rows(count, 256, 10 + index)
            own = layer.cache(30, "F16")
            for cache in (own, together):
                if len(past):
                    layer.run(past, cache, [Span(slice(0, len(past)), len(past), table)])
            alone.append(layer.run(now, own, [Span(slice(0, count), length, table)]))
            spans.append(Span(slice(rows, rows + count), length, table))
            inputs.append(now)
            rows += count
        assert torch.equal(layer.run(torch.cat(inputs), together, spans), torch.cat(alone))


def test_rotary_angles_do_not_depend_on_how_many_are_made() -> None:
    positions = torch.arange(1000)
    cos, sin = rope_angles(positions, 64, 1e6)
    for start in (0, 1, 37, 999):
        for count in (1, 3, 33):
            part = rope_angles(positions[start : start + count], 64, 1e6)
            assert torch.equal(part[0], cos[start : start + count])
            assert torch.equal(part[1], sin[start : start + count])
