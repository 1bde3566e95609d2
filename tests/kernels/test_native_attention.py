"""The attention half of a layer: parity with its twin, and bits free of neighbours."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from native_library import contexts
from ostro.config import Geometry
from ostro.kernels.attention import Span
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.native import NativeContext
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.rope import rope_angles, rotate
from ostro.kernels.structures import AttentionLayer
from ostro.model.cache import PAGE_SLOTS, PagedKVCache
from random_blocks import TYPES, Packed

EPS, THETA = 1e-5, 1e4
LONG = 1100  # Past four segments of 256 keys.


@dataclass
class Layer:
    """One random layer, in packed form and as numbers."""

    context: NativeContext
    kind: str = "F32"
    dim: int = 256
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 32
    window: int | None = None
    struct: AttentionLayer = field(init=False)

    def __post_init__(self) -> None:
        query, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        if self.kind.endswith("_K"):  # The output's rows must be whole blocks.
            self.heads, query = 8, 256
        shapes = ((query, self.dim), (kv, self.dim), (kv, self.dim), (self.dim, query))
        self.packed = [
            Packed(self.context, self.kind, rows, columns, seed)
            for seed, (rows, columns) in enumerate(shapes)
        ]
        self.norm = torch.rand(self.dim, generator=torch.Generator().manual_seed(9)) / 8
        self.struct = AttentionLayer(
            *(packed.matrix for packed in self.packed),
            self.norm.data_ptr(),
            EPS,
            self.heads,
            self.kv_heads,
            self.head_dim,
            self.window or 0,
        )

    def cache(self, pages: int, kind: str) -> PagedKVCache:
        geometry = Geometry(
            vocab_size=8,
            dim=self.dim,
            num_layers=1,
            num_heads=self.heads,
            num_kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            ffn_dim=8,
            context_length=4096,
            sliding_window=self.window,
        )
        return PagedKVCache(
            geometry, torch_kernels(), num_pages=pages, kind=kind, device=torch.device("cpu")
        )

    def angles(self, spans: list[Span]) -> tuple[Tensor, Tensor]:
        news = [span.rows.stop - span.rows.start for span in spans]
        positions = [
            torch.arange(span.length - new, span.length)
            for span, new in zip(spans, news, strict=True)
        ]
        return rope_angles(torch.cat(positions), self.head_dim, THETA)

    def run(self, x_TD: Tensor, cache: PagedKVCache, spans: list[Span]) -> Tensor:
        """The layer on a copy of ``x_TD``."""
        step = cache.step(spans).native_step(*self.angles(spans))
        out = x_TD.clone()
        self.context.attention_layer(self.struct, out, step, cache.layer_pages[0])
        return out

    def twin(self, x_TD: Tensor, cache: PagedKVCache, spans: list[Span]) -> Tensor:
        """The same by plain PyTorch on the numbers."""
        w = [packed.numbers for packed in self.packed]
        angles, step = self.angles(spans), cache.step(spans)
        h = rms_norm(x_TD, self.norm, EPS)
        q, k, v = (h @ w[i].T for i in range(3))
        q, k, v = (t.unflatten(-1, (-1, self.head_dim)) for t in (q, k, v))
        step.append(0, rotate(k, *angles), v)
        mixed = step.attend(0, rotate(q, *angles))
        return x_TD + mixed.flatten(1) @ w[3].T


def _random(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def _whole(length: int, pages: int | None = None) -> list[Span]:
    count = -(-length // PAGE_SLOTS)
    return [Span(slice(0, length), length, torch.arange(count).flip(0).contiguous())]


@pytest.fixture(scope="module")
def native() -> NativeContext:
    return contexts(threads=2)["avx2"]


@pytest.mark.parametrize("window", [None, 1, 40, 700])
@pytest.mark.parametrize("length", [1, 33, 70, LONG])
def test_it_is_its_twin(native, window, length) -> None:
    layer = Layer(native, window=window)
    x, spans = _random(length, layer.dim), _whole(length)
    found = layer.run(x, layer.cache(40, "F32"), spans)
    expected = layer.twin(x, layer.cache(40, "F32"), spans)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "tolerance"), [("F16", 2e-3), ("BF16", 2e-2), ("Q8_0", 2e-2)])
def test_keys_and_values_may_be_kept_narrower(native, kind, tolerance) -> None:
    layer = Layer(native)
    x, spans = _random(70, layer.dim), _whole(70)
    exact = layer.run(x, layer.cache(4, "F32"), spans) - x
    narrow = layer.run(x, layer.cache(4, kind), spans) - x
    error = (narrow - exact).norm() / exact.norm()
    assert 1e-6 < error < tolerance


@pytest.mark.parametrize("kind", TYPES)
def test_quantised_layers_stay_close_to_their_twin(native, kind) -> None:
    layer = Layer(native, kind)
    x, spans = _random(40, layer.dim), _whole(40)
    found = layer.run(x, layer.cache(4, "F32"), spans) - x
    expected = layer.twin(x, layer.cache(4, "F32"), spans) - x
    assert (found - expected).norm() / expected.norm() < 3e-2


@pytest.mark.parametrize("cache_kind", ["F32", "F16", "BF16", "Q8_0"])
@pytest.mark.parametrize("kind", ["F32", "Q4_0", "Q4_K"])
def test_bits_do_not_depend_on_chunks_pages_or_threads(kind, cache_kind) -> None:
    x, whole = _random(LONG, 256), None
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
            past, now = _random(length - count, 256, index), _random(count, 256, 10 + index)
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
