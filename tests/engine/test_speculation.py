"""How deep to guess: as deep as it pays."""

import pytest
import torch

from ostro.engine.lookup import PromptLookup
from ostro.engine.speculation import Candidate, Chances, choose_depths, count_distinct
from ostro.engine.step_cost import MOST_DRAFTS, StepCost, WeightBytes

DENSE = WeightBytes(shared=100.0, expert=0.0, experts=0)
SPARSE = WeightBytes(shared=20.0, expert=10.0, experts=8)


def cost(weights: WeightBytes, *, row: float, alone: int = 2, reach: float = 1.0) -> StepCost:
    """Reading a byte takes 1, and a row ``row``; a further token wants ``reach`` experts more."""
    found = StepCost(weights)
    found.observe(100, weights.experts, 100 * row)
    if weights.experts:
        found.observe_distinct(1, alone)
        found.observe_reach([alone + reach * n for n in range(MOST_DRAFTS + 1)])
    distinct = found.distinct(1)
    found.observe(1, distinct, weights.shared + distinct * weights.expert + row)
    return found


def chances(share: float) -> Chances:
    found = Chances()
    for number in range(400):
        for match in range(9):
            found.observe(match, (number * share) % 1 < share)
    return found


def candidate(match: int = 8, most: int = MOST_DRAFTS) -> Candidate:
    lookup = PromptLookup([*range(20), 99, *range(20 - match, 20)])
    lookup.update()
    return Candidate(lookup, most)


def depths(*candidates: Candidate, weights=DENSE, row=1.0, share=0.9, rows=None, reach=1.0):
    return choose_depths(
        candidates,
        chances(share),
        cost(weights, row=row, reach=reach),
        rows=rows or len(candidates),
    )


def test_cheap_rows_are_guessed_deeply_and_dear_ones_not_at_all() -> None:
    assert depths(candidate(), row=0.1, share=1.0) == [MOST_DRAFTS]
    (some,) = depths(candidate(), row=40.0)
    assert 0 < some < MOST_DRAFTS
    assert depths(candidate(), row=1000.0) == [0]


def test_unlikely_guesses_are_not_checked() -> None:
    assert depths(candidate(), share=0.02) == [0]
    (few,), (many,) = depths(candidate(), share=0.4, row=10), depths(candidate(), share=0.9, row=10)
    assert few < many


def test_experts_that_nobody_else_wants_make_a_guess_dearer() -> None:
    (near,) = depths(candidate(), weights=SPARSE, reach=0.0, row=5.0, share=0.6)
    (far,) = depths(candidate(), weights=SPARSE, reach=2.0, row=5.0, share=0.6)
    assert far < near


def test_among_many_rows_guesses_find_their_experts_there() -> None:
    found = cost(SPARSE, row=1.0, reach=1.0)
    assert found.new_experts(1, distinct=8.0) == 0.0
    assert found.new_experts(1, distinct=4.0) == pytest.approx(2 / 3)
    assert found.new_experts(1, distinct=2.0) == pytest.approx(1.0)


def test_without_a_guess_or_room_or_measurement_nothing_is_checked() -> None:
    nothing = Candidate(PromptLookup([1, 2, 3]), 7)
    assert depths(nothing, candidate(most=0), row=0.1) == [0, 0]
    assert depths(candidate(most=2), row=0.1) == [2]
    assert choose_depths([candidate()], chances(1), StepCost(DENSE), rows=1) == [0]


def test_independent_choices_are_told_from_the_experts_of_one_row() -> None:
    found = cost(SPARSE, row=1.0)
    assert found.distinct(1) == pytest.approx(2)
    assert found.distinct(2) == pytest.approx(8 * (1 - 0.75**2))
    assert found.distinct(100) == pytest.approx(8)


def test_distinct_experts_are_counted_in_each_layer() -> None:
    chosen = torch.tensor([[[0, 1], [1, 2]], [[3, -1], [3, -1]]], dtype=torch.int32)
    assert count_distinct(chosen) == 4


def test_chances_follow_what_happens() -> None:
    found = Chances()
    for _ in range(3):
        found.observe(4, right=True)
    assert found[4] == pytest.approx(0.75)
    assert found[3] == 0.0
    for _ in range(40):
        found.observe(4, right=False)
    assert found[4] < 0.05
    found.observe(20, right=True)
    assert found[8] == found[30] == 0.5
