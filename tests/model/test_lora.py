"""Adapted, steered and plain requests in one step: each gets what it gets alone."""

from pathlib import Path

import pytest
import torch

from native_library import contexts, needs_native
from ostro.errors import OstroError
from ostro.kernels.attention import Span
from ostro.model import Mixtral, PagedKVCache, row_options, step_options
from ostro.model.lora import Adapter, Adapters
from ostro.model.steering import parse_steering
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from peft_files import random_pairs, save_adapter, stacked_pairs
from steps import native_model, plain_model, read
from tiny import save_gguf, save_tiny

IDS = [list(range(first, first + 21)) for first in (1, 40, 70, 100, 130)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "m")


@pytest.fixture(scope="module")
def quantised(folder, tmp_path_factory) -> Path:
    return save_gguf(tmp_path_factory.mktemp("gguf") / "m.gguf", folder, "Q8_0")


@pytest.fixture(scope="module")
def plain(folder) -> Mixtral:
    return plain_model(folder)


@pytest.fixture(scope="module")
def adapters(plain, tmp_path_factory) -> list[Adapter]:
    """All matrices; attention alone, with another rank; some experts' matrices."""
    place, g = tmp_path_factory.mktemp("adapters"), plain.geometry
    files = [
        save_adapter(place / "all", stacked_pairs(g)),
        save_adapter(place / "few", random_pairs(g, rank=7, leaves=("q_proj", "o_proj")), r=7),
        save_adapter(place / "down", random_pairs(g, rank=1, seed=3, leaves=("w2",)), r=1),
    ]
    return [read_adapter(file, g) for file in files]


def _requests(model: Mixtral, adapters: list[Adapter]) -> list:
    """Plain; each adapter alone; the first of them steered as well."""
    g, steering = model.geometry, parse_steering({"top_k": 4, "force": [6]})
    wanted = [None, *(row_options(g, adapter=adapter) for adapter in adapters)]
    wanted.append(row_options(g, steering, adapters[0]))
    return list(zip(IDS, wanted, strict=True))


def test_adapters_are_known_by_name(plain, adapters) -> None:
    known = Adapters(plain.geometry)
    known.add(adapters[0])
    assert known.get("all") is adapters[0]
    with pytest.raises(OstroError, match=r"there is an adapter 'all' already; remove it first"):
        known.add(adapters[0])
    with pytest.raises(OstroError, match=r"there is no adapter 'few'; there are: all"):
        known.get("few")
    known.remove("all")
    assert known.names == ()
    with pytest.raises(OstroError, match="there are: none"):
        known.remove("all")
    with pytest.raises(OstroError, match=r"has 2 layers and the model 3"):
        known.add(Adapter("short", adapters[0].layers[:2]))


def test_options_are_equal_where_a_cache_may_be_shared(plain, adapters) -> None:
    g = plain.geometry
    assert row_options(g, adapter=adapters[0]) == row_options(g, adapter=adapters[0])
    assert row_options(g, adapter=adapters[0]) != row_options(g, adapter=adapters[1])
    steered = [row_options(g, parse_steering({"top_k": k}), adapters[0]) for k in (3, 3, 4)]
    assert steered[0] == steered[1] != steered[2]
    assert len({*steered, row_options(g, adapter=adapters[0])}) == 3


def test_plain_models_give_each_request_what_it_gets_alone(plain, adapters) -> None:
    requests = _requests(plain, adapters)
    unadapted = read(plain, [(ids, None) for ids in IDS])
    for request, found, without in zip(requests, read(plain, requests), unadapted, strict=True):
        torch.testing.assert_close(found, read(plain, [request])[0], rtol=1e-3, atol=1e-3)
        moved = float((found - without).norm() / without.norm())
        assert moved < 1e-6 if request[1] is None else moved > 1e-2


@needs_native
def test_native_models_give_each_request_the_same_bits_as_alone(
    quantised, adapters, tmp_path
) -> None:
    checkpoint, expected = open_checkpoint(quantised), None
    for name in contexts(1):
        for threads in (1, 3):
            model = native_model(checkpoint, tmp_path, threads=threads, instruction_set=name)
            requests = _requests(model, adapters)
            expected = expected or [read(model, [request])[0] for request in requests]
            for order in ([0, 1, 2, 3, 4], [4, 0, 3, 1], [2, 0], [0, 4]):
                found = read(model, [requests[i] for i in order])
                for i, logits in zip(order, found, strict=True):
                    assert torch.equal(logits, expected[i])
    assert torch.equal(expected[0], read(model, [(ids, None) for ids in IDS])[0])


@needs_native
def test_native_models_follow_plain_ones(folder, plain, adapters, tmp_path) -> None:
    exact = save_gguf(tmp_path / "exact.gguf", folder)
    native = native_model(open_checkpoint(exact), tmp_path / "prepared", slots=8)
    requests = _requests(plain, adapters)
    for ours, theirs in zip(read(native, requests), read(plain, requests), strict=True):
        # Keys and values are kept in F16 here and in F32 there.
        assert (ours - theirs).norm() / theirs.norm() < 5e-3


@needs_native
def test_dense_models_are_adapted_too(tmp_path) -> None:
    folder = save_tiny(tmp_path / "m", "llama")
    plain = plain_model(folder)
    exact = save_gguf(tmp_path / "exact.gguf", folder)
    native = native_model(open_checkpoint(exact), tmp_path / "prepared")
    saved = save_adapter(tmp_path / "a", random_pairs(plain.geometry))
    wanted = row_options(plain.geometry, adapter=read_adapter(saved, plain.geometry))
    requests = [(IDS[0], wanted), (IDS[1], None)]
    for ours, theirs in zip(read(native, requests), read(plain, requests), strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 5e-3


def test_an_adapter_has_gradients_in_the_plain_path(plain, adapters) -> None:
    """What trains adapters needs them for A and B of every matrix that a row reaches."""
    layer = adapters[0].layers[0]
    expert = layer.experts[0]
    factors = [
        tensor.requires_grad_()
        for addition in (layer.query, layer.key, layer.value, layer.output, expert.up, expert.down)
        for tensor in (addition.a_RI, addition.b_OR)
    ]
    cache = PagedKVCache(
        plain.geometry, plain.kernels, num_pages=2, kind="F32", device=plain.device
    )
    spans = [Span(slice(0, 16), 16, torch.tensor([0])), Span(slice(16, 20), 4, torch.tensor([1]))]
    steering = parse_steering({"top_k": 8})
    wanted = [row_options(plain.geometry, steering, adapters[0]), None]
    options = step_options(spans, wanted, plain.geometry)
    positions = torch.cat([torch.arange(16), torch.arange(4)])
    logits = plain(torch.arange(20), positions, cache.step(spans), options=options)
    gradients = torch.autograd.grad(logits[:16].square().sum(), factors)
    for tensor, gradient in zip(factors, gradients, strict=True):
        assert gradient.norm() > 0
        tensor.requires_grad_(False)
