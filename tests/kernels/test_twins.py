"""The PyTorch twins against formulas written out the slow way."""

import math

import pytest
import torch

from ostro.kernels.attention import Span, append_kv, paged_attention
from ostro.kernels.experts import mix_experts
from ostro.kernels.rms_norm import rms_norm
from ostro.kernels.rope import rope_angles, rotate
from ostro.kernels.router import route
from ostro.kernels.swiglu import swiglu

T, D, E, K, F = 13, 16, 8, 2, 24


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _random(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=generator)


def test_rms_norm_is_its_formula(generator) -> None:
    x, weight = _random(generator, T, D), _random(generator, D)
    expected = x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight
    torch.testing.assert_close(rms_norm(x, weight, 1e-5), expected)


def test_rms_norm_in_bfloat16_sums_in_float32(generator) -> None:
    x, weight = _random(generator, 4, 4096).bfloat16(), torch.ones(4096, dtype=torch.bfloat16)
    expected = rms_norm(x.float(), weight.float(), 1e-5)
    assert (rms_norm(x, weight, 1e-5).float() - expected).abs().max() < 2e-2


def test_rope_turns_each_pair_by_its_angle(generator) -> None:
    x, theta, d = _random(generator, 3, 2, 8), 1e4, 8
    positions = torch.tensor([0, 5, 900])
    turned = rotate(x, *rope_angles(positions, d, theta))
    for t, position in enumerate(positions.tolist()):
        for j in range(d // 2):
            angle = position * theta ** (-2 * j / d)
            a, b = x[t, :, j], x[t, :, j + d // 2]
            expected = a * math.cos(angle) - b * math.sin(angle)
            torch.testing.assert_close(turned[t, :, j], expected, atol=1e-4, rtol=1e-4)


def test_rope_keeps_the_dot_product_of_equal_distances(generator) -> None:
    q, k = _random(generator, 1, 1, 8), _random(generator, 1, 1, 8)

    def score(at_q: int, at_k: int) -> torch.Tensor:
        turned_q = rotate(q, *rope_angles(torch.tensor([at_q]), 8, 1e4))
        turned_k = rotate(k, *rope_angles(torch.tensor([at_k]), 8, 1e4))
        return (turned_q * turned_k).sum()

    torch.testing.assert_close(score(7, 3), score(104, 100), atol=1e-4, rtol=1e-4)


def test_router_weights_equal_softmax_over_all_renormalised(generator) -> None:
    x, router = _random(generator, T, D), _random(generator, E, D)
    experts, weights = route(x, router, K)
    everything = torch.softmax(x @ router.T, -1)
    top = everything.topk(K)
    assert torch.equal(experts, top.indices)
    torch.testing.assert_close(weights, top.values / top.values.sum(-1, keepdim=True))


def test_router_decides_in_float32() -> None:
    # The two logits differ by less than bfloat16 can tell, but not less than float32 can.
    x = torch.ones(1, 2, dtype=torch.bfloat16)
    router = torch.tensor([[1.0, 1.0], [1.0, 1.0 + 1e-6]])
    experts, weights = route(x, router, 1)
    assert experts.tolist() == [[1]]
    assert weights.dtype == torch.float32


@pytest.mark.parametrize("tokens", [1, 2, T])
@pytest.mark.parametrize("top_k", [1, 2, 5, E])
def test_mixture_is_the_weighted_sum_of_experts(generator, tokens, top_k) -> None:
    x, router = _random(generator, tokens, D), _random(generator, E, D)
    gate_up, down = _random(generator, E, 2 * F, D), _random(generator, E, D, F)
    experts, weights = route(x, router, top_k)
    expected = torch.zeros_like(x)
    for t in range(tokens):
        for slot in range(top_k):
            e = experts[t, slot]
            expected[t] += weights[t, slot] * swiglu(x[t : t + 1], gate_up[e], down[e])[0]
    torch.testing.assert_close(mix_experts(x, experts, weights, gate_up, down), expected)


@pytest.mark.parametrize("tokens", [1, T])
def test_mixture_reads_only_chosen_experts(generator, tokens) -> None:
    x = _random(generator, tokens, D)
    gate_up = torch.full((E, 2 * F, D), math.nan)
    down = torch.full((E, D, F), math.nan)
    gate_up[3], down[3] = _random(generator, 2 * F, D), _random(generator, D, F)
    experts = torch.full((tokens, 1), 3)
    y = mix_experts(x, experts, torch.ones(tokens, 1), gate_up, down)
    torch.testing.assert_close(y, swiglu(x, gate_up[3], down[3]))


def test_mixture_has_gradients_for_weights_input_and_router(generator) -> None:
    x = _random(generator, T, D).requires_grad_()
    router = _random(generator, E, D).requires_grad_()
    gate_up = _random(generator, E, 2 * F, D).requires_grad_()
    down = _random(generator, E, D, F).requires_grad_()
    mix_experts(x, *route(x, router, K), gate_up, down).square().sum().backward()
    for tensor in (x, router, gate_up, down):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0


HEADS, KV_HEADS, HEAD_DIM, SLOTS = 6, 2, 8, 4


def _dense_attention(q, k, v, window):
    """``q [t, H, d]`` are the newest of ``k, v [L, N, d]``."""
    t, length = q.shape[0], k.shape[0]
    group = HEADS // KV_HEADS
    out = torch.zeros_like(q)
    for row in range(t):
        position = length - t + row
        first = 0 if window is None else max(0, position - window + 1)
        for head in range(HEADS):
            keys = k[first : position + 1, head // group]
            scores = (keys @ q[row, head]) / math.sqrt(HEAD_DIM)
            out[row, head] = torch.softmax(scores, 0) @ v[first : position + 1, head // group]
    return out


@pytest.mark.parametrize("window", [None, 1, 3, 5, 100])
def test_paged_attention_over_several_sequences(generator, window) -> None:
    # Lengths in the cache and new tokens of three sequences; pages are scattered.
    lengths, new = [9, 1, 14], [3, 1, 14]
    k_pages = torch.full((12, KV_HEADS, HEAD_DIM, SLOTS), math.nan)
    v_pages = torch.full((12, KV_HEADS, SLOTS, HEAD_DIM), math.nan)
    tables = [[7, 0, 3], [5], [1, 11, 2, 9]]
    q = _random(generator, sum(new), HEADS, HEAD_DIM)
    spans, expected, row = [], [], 0
    for length, count, table in zip(lengths, new, tables, strict=True):
        k = _random(generator, length, KV_HEADS, HEAD_DIM)
        v = _random(generator, length, KV_HEADS, HEAD_DIM)
        pages = torch.tensor(table)
        positions = torch.arange(length)
        slots = pages[positions // SLOTS] * SLOTS + positions % SLOTS
        append_kv(k_pages, v_pages, k, v, slots)
        rows = slice(row, row + count)
        spans.append(Span(rows, length, pages))
        expected.append(_dense_attention(q[rows], k, v, window))
        row += count
    out = paged_attention(q, k_pages, v_pages, spans, window)
    torch.testing.assert_close(out, torch.cat(expected))
