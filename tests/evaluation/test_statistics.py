"""Estimates against numpy's, and against draws whose spread is known."""

import math

import numpy as np
import pytest

from ostro.evaluation.statistics import Estimate, mean_of, ratio_of, together


def test_a_mean_has_the_standard_error_of_its_sample() -> None:
    values = np.random.default_rng(0).normal(3, 2, 50)
    found = mean_of(values.tolist())
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std(ddof=1) / math.sqrt(50))
    assert found.count == 50
    low, high = found.interval
    assert (low + high) / 2 == pytest.approx(found.value)


def test_one_document_has_no_error() -> None:
    for found in (mean_of([2.0]), ratio_of([2.0], [4.0])):
        assert found.error is None
        assert found.interval is None


def test_the_error_of_a_ratio_is_the_spread_over_repeated_draws() -> None:
    draws = np.random.default_rng(1)

    def drawn():
        sizes = draws.integers(1, 100, 200)
        amounts = sizes * draws.normal(2, 0.3, 200)
        return ratio_of(amounts.tolist(), sizes.tolist())

    found = [drawn() for _ in range(300)]
    spread = np.std([one.value for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.15)


def test_parts_count_by_their_weights() -> None:
    parts = [Estimate(1.0, 0.1, 10), Estimate(2.0, 0.2, 30)]
    pooled = together(parts)
    assert pooled.value == pytest.approx(1.75)
    assert pooled.error == pytest.approx(math.hypot(0.25 * 0.1, 0.75 * 0.2))
    assert pooled.count == 40
    assert together(parts, [1, 1]).value == pytest.approx(1.5)
    assert together([parts[0], Estimate(2.0, None, 1)]).error is None


@pytest.mark.parametrize(
    ("value", "count", "expected"),
    [(0.25, 100, True), (0.33, 100, True), (0.34, 100, False), (0.16, 100, False), (0.0, 8, True)],
)
def test_chance_is_what_guessing_would_explain(value, count, expected) -> None:
    assert Estimate(value, 0.0, count).is_chance(0.25) is expected
