"""Routing traces: neighbours share experts as often as they are told to."""

import itertools

import pytest

from expert_pool import make_trace, repeat_shares, shared_by_chance
from ostro.config import PRESETS

MIXTRAL = PRESETS["mixtral-8x7b"]


def _shared(trace, layer: int) -> float:
    pairs = list(itertools.pairwise(trace))
    return sum(bool(set(a[layer]) & set(b[layer])) for a, b in pairs) / len(pairs)


def test_chance_is_the_papers() -> None:
    assert shared_by_chance(8, 2) == pytest.approx(1 - 6 / 8 * 5 / 7)


def test_a_trace_repeats_as_it_is_told() -> None:
    shares = repeat_shares(MIXTRAL.num_layers)
    assert (shares[0], shares[-1]) == pytest.approx((0.465, 0.529))
    assert max(shares) == pytest.approx(0.623, abs=0.01)
    trace = make_trace(MIXTRAL, 4000, shares)
    for layer in (0, 15, 31):
        assert _shared(trace, layer) == pytest.approx(shares[layer], abs=0.03)
        assert all(len(set(token[layer])) == 2 for token in trace)


def test_without_a_share_choices_are_independent() -> None:
    trace = make_trace(MIXTRAL, 4000, [0.0] * 2)
    assert _shared(trace, 1) == pytest.approx(shared_by_chance(8, 2), abs=0.03)
