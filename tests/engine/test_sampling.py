"""The sampler: filters, order, and noise that depends on nothing but its counter."""

import math

import pytest
import torch

from ostro.engine.sampling import Sampler, SamplingParams, filtered_probabilities, uniform
from ostro.errors import OstroError

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0])


def _drawn(**params) -> set[int]:
    sampler = Sampler(SamplingParams(seed=7, **params))
    return {sampler.sample(LOGITS, [], position) for position in range(300)}


def test_temperature_zero_takes_the_likeliest() -> None:
    assert Sampler(SamplingParams()).sample(LOGITS, [], 0) == 1


def test_temperature_one_draws_from_the_softmax() -> None:
    sampler = Sampler(SamplingParams(temperature=1.0, seed=1))
    draws = torch.tensor([sampler.sample(LOGITS, [], position) for position in range(4000)])
    shares = torch.bincount(draws, minlength=4) / 4000
    assert torch.allclose(shares, torch.softmax(LOGITS, 0), atol=0.03)


def test_top_k_keeps_the_k_likeliest() -> None:
    assert _drawn(temperature=1.0, top_k=2) == {1, 2}


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    probabilities = torch.softmax(LOGITS, 0).sort(descending=True).values
    just_two = float(probabilities[:2].sum())
    assert _drawn(temperature=1.0, top_p=just_two - 1e-4) == {1, 2}
    assert _drawn(temperature=1.0, top_p=just_two + 1e-4) == {1, 2, 0}


def test_min_p_keeps_what_is_likely_enough() -> None:
    assert _drawn(temperature=1.0, min_p=math.exp(-1) - 1e-6) == {1, 2}
    assert _drawn(temperature=1.0, min_p=1.0) == {1}


def test_a_tiny_top_p_still_leaves_one_token() -> None:
    probabilities, tokens = filtered_probabilities(
        LOGITS, SamplingParams(temperature=1.0, top_p=1e-9)
    )
    assert tokens.tolist() == [1]
    assert probabilities.numel() == 1


def test_repetition_penalty_lowers_seen_tokens_of_either_sign() -> None:
    sampler = Sampler(SamplingParams(repetition_penalty=2.0))
    assert sampler.sample(LOGITS, [1], 0) == 2
    negative = torch.tensor([-1.0, -1.5])
    assert sampler.sample(negative, [0], 0) == 1


def test_noise_depends_on_seed_choice_and_position_alone() -> None:
    draws = {uniform(s, c, p) for s in range(4) for c in range(4) for p in range(4)}
    assert len(draws) == 64
    assert all(0 <= draw < 1 for draw in draws)
    assert uniform(3, 1, 2) == uniform(3, 1, 2)


def test_a_seed_repeats_and_its_absence_does_not() -> None:
    assert Sampler(SamplingParams(seed=5)).seed == 5
    assert Sampler(SamplingParams()).seed != Sampler(SamplingParams()).seed


@pytest.mark.parametrize(
    "bad",
    [
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 2},
        {"repetition_penalty": 0},
        {"seed": -1},
        {"stop": ("",)},
    ],
)
def test_values_out_of_range_are_named(bad) -> None:
    with pytest.raises(OstroError, match=next(iter(bad))):
        SamplingParams(**bad)
