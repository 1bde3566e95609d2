"""Steered requests beside plain ones: who wants nothing gets what it always gets."""

from pathlib import Path

import pytest
import torch

from native_library import contexts, needs_native
from ostro.model import Mixtral, row_options, step_options
from ostro.model.routing import kept_routing
from ostro.model.steering import parse_steering
from ostro.weights.checkpoint import open_checkpoint
from steps import native_model, plain_model, read
from tiny import save_gguf, save_tiny

STEERING = [
    {"force": [5], "reweight": {"5": 0.5}},
    {"top_k": 8},
    {"top_k": 1, "layers": {"1": {"forbid": [0, 1, 2], "top_k": 3}}},
]
IDS = [list(range(first, first + 21)) for first in (1, 40, 70, 100)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "m")


@pytest.fixture(scope="module")
def quantised(folder, tmp_path_factory) -> Path:
    return save_gguf(tmp_path_factory.mktemp("gguf") / "m.gguf", folder, "Q8_0")


@pytest.fixture(scope="module")
def plain(folder) -> Mixtral:
    return plain_model(folder)


def _requests(model: Mixtral) -> list:
    """Plain, then steered in three ways."""
    wanted = [None, *(row_options(model.geometry, parse_steering(v)) for v in STEERING)]
    return list(zip(IDS, wanted, strict=True))


def test_nobody_wants_anything() -> None:
    assert step_options([], [], None) is None
    assert row_options(None) is None


def test_plain_models_give_each_request_what_it_gets_alone(plain) -> None:
    requests = _requests(plain)
    together = read(plain, requests)
    for request, found in zip(requests, together, strict=True):
        torch.testing.assert_close(found, read(plain, [request])[0], rtol=1e-4, atol=1e-4)
    unsteered = read(plain, [(ids, None) for ids in IDS])
    torch.testing.assert_close(together[0], unsteered[0], rtol=1e-4, atol=1e-4)
    for steered, without in zip(together[1:], unsteered[1:], strict=True):
        assert (steered - without).norm() / without.norm() > 1e-2


@needs_native
def test_native_models_give_each_request_the_same_bits_as_alone(quantised, tmp_path) -> None:
    checkpoint, expected = open_checkpoint(quantised), None
    for name in contexts(1):
        for threads in (1, 3):
            model = native_model(checkpoint, tmp_path, threads=threads, instruction_set=name)
            requests = _requests(model)
            expected = expected or [read(model, [request])[0] for request in requests]
            for order in ([0, 1, 2, 3], [3, 0, 2, 1], [2, 0]):
                found = read(model, [requests[i] for i in order])
                for i, logits in zip(order, found, strict=True):
                    assert torch.equal(logits, expected[i])
    assert torch.equal(expected[0], read(model, [(ids, None) for ids in IDS])[0])


@needs_native
def test_native_models_follow_plain_ones(folder, plain, tmp_path) -> None:
    """Weights in F32, so that near ties fall the same way."""
    exact = save_gguf(tmp_path / "exact.gguf", folder)
    native = native_model(open_checkpoint(exact), tmp_path / "prepared")
    found, expected = read(native, _requests(native)), read(plain, _requests(plain))
    for ours, theirs in zip(found, expected, strict=True):
        # Keys and values are kept in F16 here and in F32 there.
        assert (ours - theirs).norm() / theirs.norm() < 5e-3


@needs_native
@pytest.mark.parametrize("slots", [8, 13])
def test_a_pool_of_experts_respects_steering(quantised, tmp_path, slots) -> None:
    checkpoint = open_checkpoint(quantised)
    whole = native_model(checkpoint, tmp_path)
    pooled = native_model(checkpoint, tmp_path, slots=slots)
    requests = _requests(whole)
    for ours, expected in zip(read(pooled, requests), read(whole, requests), strict=True):
        assert torch.equal(ours, expected)


@needs_native
def test_a_pool_reads_only_what_steering_lets_through(quantised, tmp_path) -> None:
    model = native_model(open_checkpoint(quantised), tmp_path, slots=24)
    only = {"forbid": [0, 1, 3, 5, 6, 7]}
    pool = next(model.blocks()).packed_feed_forward.supply.pool
    read(model, [(IDS[0], row_options(model.geometry, parse_steering(only)))])
    assert {key.expert for key in pool._resident} == {2, 4}


def _kept(model: Mixtral, requests: list):
    with kept_routing(model) as routing:
        read(model, requests)
        return routing.chosen(), routing.weights()


@needs_native
def test_routing_is_kept_with_its_weights_by_native_and_plain(folder, plain, tmp_path) -> None:
    exact = save_gguf(tmp_path / "exact.gguf", folder)
    native = native_model(open_checkpoint(exact), tmp_path / "prepared")
    experts, weights = _kept(plain, _requests(plain))
    assert [tuple(layer.shape) for layer in experts] == [(4, 8)] * 3  # The last step: a row each.
    for layer, (ours, theirs) in enumerate(
        zip(_kept(native, _requests(native))[0], experts, strict=True)
    ):
        assert torch.equal(ours.long(), theirs), layer
    for layer, kept in enumerate(experts):
        used = (kept >= 0).sum(-1).tolist()
        assert used == [2, 2, 8, 3 if layer == 1 else 1]
        assert 5 in kept[1]
        assert torch.equal(weights[layer] == 0, kept < 0)
    for ours, theirs in zip(_kept(native, _requests(native))[1], weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)


def test_routing_of_a_plain_step_keeps_the_models_own_k(plain) -> None:
    experts, weights = _kept(plain, [(IDS[0], None)])
    assert [tuple(layer.shape) for layer in experts] == [(1, 2)] * 3
    for layer in weights:
        torch.testing.assert_close(layer.sum(-1), torch.ones(1))
