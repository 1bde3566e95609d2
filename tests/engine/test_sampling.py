"""The sampler: filters, order, and noise that depends on nothing but its counter."""

import math
import random

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.sampling_reference import adjusted, candidates, distribution, every_kernels, pack
from ostro.engine.params import SamplingParams
from ostro.engine.sampling import Penalties, Sampler, likeliest_tokens, uniform, unpack
from ostro.errors import OstroError
from ostro.kernels.dispatch import Kernels, torch_kernels
from ostro.kernels.vocabulary import summarise

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0])
KERNELS = torch_kernels()


def _sampler(kernels=KERNELS, *, choice=0, prompt=0, ends=(), **params) -> Sampler:
    params.setdefault("seed", 7)
    return Sampler(
        SamplingParams(**params),
        kernels,
        choice=choice,
        prompt_length=prompt,
        ends=frozenset(ends),
    )


def _drawn(logits: Tensor = LOGITS, kernels=KERNELS, mask=None, times=300, **params) -> set[int]:
    sampler = _sampler(kernels, **params)
    return {sampler.sample(logits, [0] * length, mask=mask) for length in range(times)}


def test_temperature_zero_takes_the_likeliest() -> None:
    assert _sampler().sample(LOGITS, []) == 1


def test_temperature_one_draws_from_the_softmax() -> None:
    sampler = _sampler(temperature=1.0, seed=1)
    draws = torch.tensor([sampler.sample(LOGITS, range(length)) for length in range(2500)])
    shares = torch.bincount(draws, minlength=4) / 2500
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
    assert _drawn(temperature=1.0, min_p=math.exp(-1) + 1e-6) == {1}
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
    sampler = Sampler(sampling, KERNELS, prompt_length=0, ends=frozenset())
    log_sum = summarise(logits, 0.8)[1]
    whole = likeliest_tokens(KERNELS, logits, sampling, params.get("top_k", 2000), log_sum)
    for position in range(200):
        expected = whole.draw(uniform(3, 0, position))
        assert sampler.sample(logits, range(position)) == expected


SAMPLING = st.fixed_dictionaries(
    {"temperature": st.floats(0.2, 3.0), "seed": st.integers(0, 2**64 - 1)},
    optional={
        "top_k": st.integers(1, 40),
        "top_p": st.floats(0.05, 1.0),
        "min_p": st.floats(0.0, 0.9),
        "repetition_penalty": st.floats(0.5, 2.0),
        "presence_penalty": st.floats(-2, 2),
        "frequency_penalty": st.floats(-2, 2),
        "min_tokens": st.integers(0, 12),
        "logit_bias": st.dictionaries(st.integers(0, 19), st.floats(-100, 100), max_size=4),
    },
)
TOKENS = st.lists(st.integers(0, 19), max_size=20)


@every_kernels
@settings(derandomize=True, deadline=None, max_examples=40)
@given(SAMPLING, TOKENS, st.sampled_from([20, 33, 700]), st.integers(0, 99), st.data())
def test_a_draw_is_the_one_that_arithmetic_in_float64_makes(
    kernels, sampling, tokens, size, number, data
) -> None:
    """All combinations: what noise falls on, but for thresholds that it meets to six digits."""
    params = SamplingParams(**sampling)
    drawn = random.Random(number)
    logits = torch.tensor([drawn.gauss(0, 3) for _ in range(size)])
    prompt, ends = data.draw(st.integers(0, len(tokens))), {0, 7}
    allowed = None
    if data.draw(st.booleans()):
        allowed = {1, *drawn.sample(range(size), drawn.randrange(size))}
    args = {"prompt_length": prompt, "ends": ends, "allowed": allowed}
    kept = distribution(logits.tolist(), params, tokens, **args)
    for near in (-1e-6, 1e-6):  # A token on the threshold of a filter may be in or out.
        assume(params.top_p + near > 0)
        moved = {**sampling, "top_p": min(params.top_p + near, 1.0)}
        moved["min_p"] = min(max(params.min_p + near, 0.0), 1.0) if params.min_p else 0.0
        again = distribution(logits.tolist(), SamplingParams(**moved), tokens, **args)
        assume(params.top_p == 1.0 or again.keys() == kept.keys())
    sampler = _sampler(kernels, prompt=prompt, ends=ends, **sampling)
    mask = None if allowed is None else pack(allowed, size)
    token = sampler.sample(logits, tokens, mask=mask)
    assert token in candidates(kept, uniform(params.seed, 0, len(tokens)), 1e-5)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(SAMPLING, TOKENS, st.integers(0, 99), st.data())
def test_bias_and_penalties_are_those_of_float64(sampling, tokens, number, data) -> None:
    params, prompt = SamplingParams(**sampling), data.draw(st.integers(0, len(tokens)))
    logits = torch.randn(20, generator=torch.Generator().manual_seed(number)) * 5
    penalties = Penalties(params, prompt)
    expected = torch.tensor(adjusted(logits.tolist(), params, tokens, prompt), dtype=torch.float64)
    for _ in range(2):
        found = penalties.apply(logits, tokens).double()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


COMBINATIONS = [
    {"temperature": 1.0},
    {"temperature": 0.7, "top_k": 6, "top_p": 0.9},
    {"temperature": 1.5, "min_p": 0.1, "repetition_penalty": 1.3},
    {"temperature": 1.0, "presence_penalty": 1.5, "frequency_penalty": -0.5},
    {"temperature": 2.0, "logit_bias": {3: 5.0, 4: -5.0}, "min_tokens": 5000, "top_p": 0.95},
]


@pytest.mark.parametrize("sampling", COMBINATIONS, ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_shares_of_many_draws_are_the_exact_distribution(sampling, masked) -> None:
    """By Pearson's chi-squared, at five standard deviations; seeds take the place of positions."""
    logits = torch.randn(12, generator=torch.Generator().manual_seed(3)) * 2
    tokens, allowed = [1, 2, 2, 5, 5, 5], {2, 3, 4, 5, 9, 11} if masked else None
    args = {"prompt_length": 2, "ends": {0, 9}, "allowed": allowed}
    kept = distribution(logits.tolist(), SamplingParams(**sampling), tokens, **args)
    mask, count = pack(allowed, 12) if allowed else None, 500
    counts = dict.fromkeys(kept, 0)
    for seed in range(count):
        sampler = _sampler(KERNELS, prompt=2, ends=(0, 9), **sampling | {"seed": seed})
        counts[sampler.sample(logits, tokens, mask=mask)] += 1
    expected = {token: count * probability for token, probability in kept.items()}
    chi_squared = sum((counts[token] - e) ** 2 / e for token, e in expected.items())
    freedom = len(kept) - 1
    assert freedom >= 1
    assert chi_squared < freedom + 5 * math.sqrt(2 * freedom)


def test_repetition_penalty_lowers_seen_tokens_of_either_sign() -> None:
    sampler = _sampler(repetition_penalty=2.0, prompt=1)
    assert sampler.sample(LOGITS, [1]) == 2
    negative = torch.tensor([-1.0, -1.5])
    assert _sampler(repetition_penalty=2.0).sample(negative, [0]) == 1


def test_repetition_is_of_the_prompt_and_the_others_of_the_answer_alone() -> None:
    prompt, answer = [1, 1, 1], [2, 2]
    for name, expected in (("repetition_penalty", 0), ("presence_penalty", 1)):
        sampler = _sampler(prompt=3, **{name: 2.0})
        logits = torch.tensor([1.6, 3.0, 3.1, -1.0])
        assert sampler.sample(logits, prompt + answer) == expected


def test_presence_counts_once_and_frequency_every_time() -> None:
    logits = torch.tensor([0.0, 1.7])
    for repeats, expected in ((1, 1), (2, 0), (5, 0)):
        assert _sampler(frequency_penalty=1.0).sample(logits, [1] * repeats) == expected
        assert _sampler(presence_penalty=1.0).sample(logits, [1] * repeats) == 1


@every_kernels
@pytest.mark.parametrize("penalty", [1e-300, 1e-40, 1e300])
def test_a_penalty_of_any_size_leaves_finite_numbers(kernels, penalty) -> None:
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5])
    token = _sampler(kernels, repetition_penalty=penalty).sample(logits, [0, 1, 2])
    assert token == (0 if penalty < 1 else 3)
    drawn = _drawn(logits, kernels, times=50, temperature=1e-5, repetition_penalty=penalty)
    assert drawn <= {0, 3}


def test_the_logits_themselves_stay() -> None:
    logits = LOGITS.clone()
    sampler = _sampler(
        temperature=1.0,
        repetition_penalty=2.0,
        presence_penalty=1.0,
        logit_bias={1: 5.0},
        min_tokens=9,
        ends=(2,),
    )
    sampler.sample(logits, [0, 1, 1], mask=pack({0, 1, 2}, 4))
    assert torch.equal(logits, LOGITS)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_a_bias_forces_and_forbids(temperature) -> None:
    assert _drawn(temperature=temperature, logit_bias={3: 100}) == {3}
    assert 1 not in _drawn(temperature=temperature, logit_bias={1: -100})


def test_a_bias_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(OstroError, match="logit_bias: token 4 is not in the vocabulary"):
        _sampler(logit_bias={4: 1.0}).sample(LOGITS, [])


@every_kernels
@pytest.mark.parametrize("temperature", [0.0, 1.0, 100.0])
def test_no_answer_ends_before_its_least_length(kernels, temperature) -> None:
    sampler = _sampler(
        kernels, temperature=temperature, min_tokens=3, prompt=2, ends=(1, 999), logit_bias={1: 100}
    )
    drawn = [sampler.sample(LOGITS, range(length)) for length in (2, 3, 4, 5, 6)]
    assert 1 not in drawn[:3]
    assert drawn[3:] == [1, 1] or temperature == 100.0


@every_kernels
@pytest.mark.parametrize("temperature", [0.0, 1e-5, 1.0, 100.0, 1e300])
@pytest.mark.parametrize(("low", "size"), [(-1.0, 3000), (-1e4, 40), (-1e4, 3000), (-1e30, 40)])
def test_a_masked_token_is_never_drawn(kernels, temperature, low, size) -> None:
    """Not even where all others are hopeless and the temperature makes all tokens alike."""
    logits = torch.full((size,), 50.0)
    allowed = {0, 31, 32, size - 1}
    logits[sorted(allowed)] = low
    mask = pack(allowed, size)
    drawn = _drawn(logits, kernels, mask, times=40, temperature=temperature)
    assert drawn == ({0} if temperature == 0.0 else allowed)


@every_kernels
def test_the_last_noise_draws_no_impossible_token(kernels) -> None:
    logits = torch.tensor([0.0, 0.0, 0.0, -1e5])
    for size in (3, 4):
        log_sum = kernels.summarise(logits[:size], 1.0)[1]
        params = SamplingParams(temperature=1.0)
        likeliest = likeliest_tokens(kernels, logits[:size], params, size, log_sum)
        assert likeliest.draw(1 - 2**-53) == 2
        assert likeliest.draw(1.0) == 2


@every_kernels
@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(1, 130), st.data())
def test_a_mask_is_a_smaller_vocabulary(kernels, size, data) -> None:
    """What is drawn among the allowed is what would be drawn if there were no others."""
    allowed = sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1)))
    logits = torch.randn(size, generator=torch.Generator().manual_seed(size))
    temperature = data.draw(st.sampled_from([0.0, 0.5, 2.0]))
    sampler = _sampler(kernels, temperature=temperature, top_p=0.9, seed=size)
    masked = sampler.sample(logits, [0] * 5, mask=pack(allowed, size))
    assert masked == allowed[sampler.sample(logits[allowed], [0] * 5)]


@given(st.integers(1, 100), st.data())
@settings(derandomize=True, deadline=None)
def test_a_mask_has_the_lowest_bit_first(size, data) -> None:
    allowed = data.draw(st.sets(st.integers(0, size - 1)))
    assert unpack(pack(allowed, size), size).nonzero().flatten().tolist() == sorted(allowed)
    full = torch.full((-(-size // 32),), -1, dtype=torch.int32)
    assert unpack(full, size).tolist() == [True] * size


def test_a_mask_and_least_length_that_leave_nothing_are_told() -> None:
    with pytest.raises(OstroError, match="no token may come next"):
        _sampler().sample(LOGITS, [], mask=pack((), 4))
    ending = _sampler(min_tokens=2, ends=(1, 3))
    assert ending.sample(LOGITS, [0, 0], mask=pack({1, 3}, 4)) == 1
    with pytest.raises(OstroError, match="the grammar and min_tokens forbid them all"):
        ending.sample(LOGITS, [0], mask=pack({1, 3}, 4))


@every_kernels
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_are_told(kernels, value, temperature) -> None:
    logits = torch.tensor([1.0, value, 2.0])
    with pytest.raises(OstroError, match="numbers overflowed"):
        _sampler(kernels, temperature=temperature).sample(logits, [])


@every_kernels
def test_a_temperature_next_to_zero_takes_the_likeliest(kernels) -> None:
    logits = torch.tensor([30.0, 80.0, 79.9])
    for temperature in (5e-324, 1e-40, 1e-20, 1e-6, 1e-5, 1e-4):
        assert _drawn(logits, kernels, times=50, temperature=temperature) == {1}


def test_noise_depends_on_seed_choice_and_position_alone() -> None:
    draws = {uniform(s, c, p) for s in range(4) for c in range(4) for p in range(4)}
    assert len(draws) == 64
    assert all(0 <= draw < 1 for draw in draws)
    assert uniform(3, 1, 2) == uniform(3, 1, 2)


def test_all_64_bits_of_a_seed_count() -> None:
    seeds = [0, 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1]
    assert len({uniform(seed, 0, 5) for seed in seeds}) == len(seeds)


@every_kernels
def test_a_draw_does_not_depend_on_what_else_was_drawn(kernels) -> None:
    """The sampler may be asked in any order, again, or beside others: positions alone count."""
    logits = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    tokens = [(7 * place) % 50 for place in range(20)]
    sampling = {
        "temperature": 1.2,
        "repetition_penalty": 1.1,
        "frequency_penalty": 0.3,
        "min_tokens": 9,
    }

    def make(choice: int = 0) -> Sampler:
        return _sampler(kernels, choice=choice, prompt=4, ends=(3, 4), **sampling)

    expected = [make().sample(logits[p], tokens[:p]) for p in range(4, 20)]
    sampler, other = make(), make(choice=1)
    others = []
    for place in random.Random(0).sample(range(4, 20), 16):
        others.append(other.sample(logits[place], tokens[:place]))
        for _ in range(2):
            assert sampler.sample(logits[place], tokens[:place]) == expected[place - 4]
    assert sorted(others) != sorted(expected)


def test_a_seed_repeats_and_its_absence_does_not() -> None:
    assert _sampler(seed=5).seed == 5
    assert _sampler(seed=None).seed != _sampler(seed=None).seed


@every_kernels
def test_the_greedy_way_asks_the_kernels_once_and_copies_nothing(kernels) -> None:
    asked = []

    def summarise(logits_V: Tensor, temperature: float) -> tuple[int, float]:
        asked.append(logits_V)
        return kernels.summarise(logits_V, temperature)

    watched = Kernels(name="watched", summarise=summarise)
    assert _sampler(watched).sample(LOGITS, [0, 1]) == 1
    assert len(asked) == 1
    assert asked[0] is LOGITS
