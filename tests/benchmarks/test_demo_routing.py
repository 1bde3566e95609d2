"""Shuffled experts, loads and domains: on tiny models, and on counts by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from demo_checks.domain_chance import between_share, domain_test
from demo_checks.load import is_even, layer_loads
from demo_checks.routing import check_routing
from demo_checks.shuffle import permutation, plain_model, shuffled
from demo_checks.shuffle_loss import document_loss, rise
from ostro.engine.session import Session
from ostro.errors import OstroError
from tiny_chat import BOS, save_babbler
from tiny_demo import SILENT, setup_of, subject_of


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch) -> None:
    monkeypatch.setenv("OSTRO_THREADS", "1")


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Experts that differ."""
    folder = tmp_path_factory.mktemp("mixture") / "model"
    return save_babbler(folder, "mixtral")


@pytest.fixture(scope="module")
def known(mixture) -> list[int]:
    """A text that the mixture finds likely, since it wrote it."""
    session, ids = Session(plain_model(mixture, SILENT), 64), [BOS]
    while len(ids) < 64:
        ids.append(int(session.feed(ids[-1:]).argmax()))
    return ids


def _losses(folder, ids, seeds) -> list[float]:
    model, found = plain_model(folder, SILENT), []
    for seed in seeds:
        with shuffled(model, seed):
            found.append(document_loss(model, ids, 512)[0])
    return found


def test_shuffling_equal_experts_changes_nothing(copies, known) -> None:
    own, *dealt = _losses(copies, known, [None, 1, 2, 3])
    assert dealt == pytest.approx([own] * 3, rel=1e-5)


def test_shuffling_experts_that_differ_costs(mixture, known) -> None:
    own, *dealt = _losses(mixture, known, [None, 1, 2, 3])
    assert min(dealt) > 1.02 * own


def test_a_shuffled_model_is_as_it_was_afterwards(mixture, known) -> None:
    first, _, last = _losses(mixture, known, [None, 1, None])
    assert first == last


def test_shuffling_deals_experts_and_keeps_weights(mixture) -> None:
    model = plain_model(mixture, SILENT)
    first, x_TD = next(model.blocks()).feed_forward, torch.randn(9, 64)
    route = model.kernels.route
    experts_TK, weights_TK = route(x_TD, first.router_ED, 2, None)
    with shuffled(model, 5):
        dealt_TK, dealt_weights_TK = route(x_TD, first.router_ED, 2, None)
    order = torch.tensor(permutation(8, 5, 0))
    assert torch.equal(order[dealt_TK], experts_TK)
    torch.testing.assert_close(dealt_weights_TK, weights_TK)


def test_permutations_differ_by_layer_and_always_move_something() -> None:
    drawn = [permutation(8, 1, layer) for layer in range(30)]
    assert len({tuple(order) for order in drawn}) == 30
    assert all(sorted(order) == list(range(8)) for order in drawn)
    assert [permutation(2, seed, 0) for seed in range(9)] == [[1, 0]] * 9
    assert permutation(1, 0, 0) == [0]


def test_the_rise_is_of_sums() -> None:
    estimate = rise([11.0, 33.0], [10.0, 30.0])
    assert estimate.value == pytest.approx(0.1)
    assert estimate.error == pytest.approx(0.0, abs=1e-12)


def test_loads_by_hand() -> None:
    counts_NLE = np.array([[[2.0, 2.0], [4.0, 0.0]], [[2.0, 4.0], [6.0, 0.0]]])
    first, second = layer_loads(counts_NLE)
    assert first == {"most": pytest.approx(1.2), "least": pytest.approx(0.8), "dead": 0}
    assert second == {"most": 2.0, "least": 0.0, "dead": 1}
    assert is_even([first])
    assert not is_even([first, second])


def test_the_share_between_domains_by_hand() -> None:
    shares_NLE = np.array([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])
    weights_N = np.ones(4)
    assert between_share(shares_NLE, weights_N, np.array([0, 0, 1, 1])) == pytest.approx([1])
    assert between_share(shares_NLE, weights_N, np.array([0, 1, 0, 1])) == pytest.approx([0])
    even_NLE = np.full((4, 1, 2), 0.5)
    assert between_share(even_NLE, weights_N, np.array([0, 0, 1, 1])).tolist() == [0]


def test_domains_that_differ_are_told_from_those_that_do_not() -> None:
    draw, domains = np.random.default_rng(0), ["a"] * 8 + ["b"] * 8
    alike_NLE = draw.multinomial(200, [0.25] * 4, size=(16, 2)).astype(float)
    assert domain_test(alike_NLE, domains)["p"] > 0.05
    differing_NLE = alike_NLE.copy()
    differing_NLE[8:] += draw.multinomial(60, [1, 0, 0, 0], size=(8, 2))
    found = domain_test(differing_NLE, domains)
    assert found["p"] == pytest.approx(0.001)
    assert found["r2 by chance"] < min(found["r2 of layers"])


def test_single_documents_are_no_test() -> None:
    counts_NLE = np.ones((3, 1, 2))
    assert domain_test(counts_NLE, ["a", "a", "b"])["p"] is None


def test_the_whole_check_on_copies(tmp_path, copies, parent) -> None:
    setup = setup_of(tmp_path, copies, parent, limit=3)
    verdict = check_routing(setup)
    assert verdict.found["parts"]["shuffling"] is False
    assert verdict.found["shuffle"]["rise"]["value"] == pytest.approx(0, abs=1e-5)
    assert len(verdict.found["load"]["layers"]) == 3
    assert verdict.passed is False
    assert check_routing(setup).found == verdict.found


def test_a_dense_model_has_no_routing(tmp_path, copies, parent) -> None:
    setup = replace(setup_of(tmp_path, copies, parent), model=subject_of(parent))
    with pytest.raises(OstroError, match="dense"):
        check_routing(setup)
