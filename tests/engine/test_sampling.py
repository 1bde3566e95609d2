"""The sampler: filters, order, and noise that depends on nothing but its counter."""

import math

import pytest
import torch

from ostro.engine.sampling import Sampler, SamplingParams, likeliest_tokens, uniform
from ostro.errors import OstroError
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.vocabulary import summarise

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0])
KERNELS = torch_kernels()


def _drawn(**params) -> set[int]:
    sampler = Sampler(SamplingParams(seed=7, **params), KERNELS)
    return {sampler.sample(LOGITS, [], position) for position in range(300)}


def test_temperature_zero_takes_the_likeliest() -> None:
    assert Sampler(SamplingParams(), KERNELS).sample(LOGITS, [], 0) == 1


def test_temperature_one_draws_from_the_softmax() -> None:
    sampler = Sampler(SamplingParams(temperature=1.0, seed=1), KERNELS)
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
    params = SamplingParams(temperature=1.0, top_p=1e-9)
    likeliest = likeliest_tokens(KERNELS, LOGITS, params, 4, summarise(LOGITS)[1])
    assert likeliest.tokens.tolist() == [1]
    assert likeliest.complete


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"top_p": 0.9},
        {"top_p": 0.2},
        {"min_p": 0.3},
        {"min_p": 1e-4, "top_p": 0.99},
        {"top_k": 300, "top_p": 0.5},
        {"top_k": 20},
    ],
    ids=str,
)
@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_looking_at_the_likeliest_few_first_changes_no_draw(params, spread) -> None:
    torch.manual_seed(0)
    logits = spread * torch.randn(2000)
    sampling = SamplingParams(temperature=0.8, seed=3, **params)
    sampler = Sampler(sampling, KERNELS)
    log_sum = summarise(logits, 0.8)[1]
    whole = likeliest_tokens(KERNELS, logits, sampling, params.get("top_k", 2000), log_sum)
    for position in range(200):
        expected = whole.draw(uniform(3, 0, position))
        assert sampler.sample(logits, [], position) == expected


def test_repetition_penalty_lowers_seen_tokens_of_either_sign() -> None:
    sampler = Sampler(SamplingParams(repetition_penalty=2.0), KERNELS)
    assert sampler.sample(LOGITS, [1], 0) == 2
    negative = torch.tensor([-1.0, -1.5])
    assert sampler.sample(negative, [0], 0) == 1


def test_noise_depends_on_seed_choice_and_position_alone() -> None:
    draws = {uniform(s, c, p) for s in range(4) for c in range(4) for p in range(4)}
    assert len(draws) == 64
    assert all(0 <= draw < 1 for draw in draws)
    assert uniform(3, 1, 2) == uniform(3, 1, 2)


def test_a_seed_repeats_and_its_absence_does_not() -> None:
    assert Sampler(SamplingParams(seed=5), KERNELS).seed == 5
    assert Sampler(SamplingParams(), KERNELS).seed != Sampler(SamplingParams(), KERNELS).seed


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
