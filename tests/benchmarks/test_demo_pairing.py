"""Paired statistics on numbers that are known."""

import math

import pytest

from demo_checks.pairing import (
    difference_per_token,
    is_above,
    is_not_above,
    is_not_below,
    mcnemar,
    mean_difference,
    told,
    unpaired_difference,
)
from ostro.evaluation.statistics import Estimate


def test_differences_are_taken_pair_by_pair() -> None:
    estimate = mean_difference([1.0, 2.0, 4.0], [0.0, 2.0, 2.0])
    assert estimate.value == 1
    assert estimate.error == pytest.approx(1 / math.sqrt(3))
    # What both have in common leaves no error.
    assert mean_difference([11.0, 102.0], [10.0, 101.0]).error == 0


def test_a_difference_per_token_weighs_documents_by_their_tokens() -> None:
    estimate = difference_per_token([12.0, 33.0], [10.0, 30.0], [10, 30])
    assert estimate.value == pytest.approx(5 / 40)
    # Residuals 2 - 1.25 and 3 - 3.75: sqrt(2 * (0.5625 + 0.5625)) / 40.
    assert estimate.error == pytest.approx(1.5 / 40)


def test_errors_of_unpaired_means_add_in_squares() -> None:
    difference = unpaired_difference(Estimate(0.5, 0.03, 9), Estimate(0.4, 0.04, 7))
    assert (difference.value, difference.error) == (pytest.approx(0.1), pytest.approx(0.05))
    assert unpaired_difference(Estimate(1, None, 1), Estimate(0, 0.1, 4)).error is None


@pytest.mark.parametrize(("value", "above"), [(0.21, True), (0.19, False), (-0.3, False)])
def test_two_standard_errors(value: float, above: bool) -> None:
    estimate = Estimate(value, 0.1, 10)
    assert is_above(estimate) is above
    assert is_not_above(estimate) is not above
    assert is_not_below(Estimate(-value, 0.1, 10)) is not above
    assert is_above(Estimate(value + 5, 0.1, 10), 5.0) is above


def test_one_document_decides_nothing() -> None:
    single = Estimate(3.0, None, 1)
    assert is_above(single) is None
    assert is_not_above(single) is None
    assert is_not_below(single) is None
    assert told(single) == "3.0 +- ?"


def test_mcnemar_by_hand() -> None:
    own, other = [True] * 5 + [False], [False] * 5 + [True]
    # One or none of six in one direction, twice: 2 * (1 + 6) / 64.
    assert mcnemar(own, other) == pytest.approx(14 / 64)
    assert mcnemar([True, False], [True, False]) == 1
    assert mcnemar([True, False], [False, True]) == 1
