"""What a request may ask for: ranges, kinds, and loose arguments."""

import dataclasses
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from ostro.engine.params import MOST_LOGPROBS, SamplingParams
from ostro.errors import OstroError

WHOLE = ["max_tokens", "top_k", "seed", "min_tokens", "n", "logprobs", "prompt_logprobs"]
REAL = [
    "temperature",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
]


@pytest.mark.parametrize(
    "bad",
    [
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": 10**400},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 2},
        {"repetition_penalty": 0},
        {"presence_penalty": 2.01},
        {"presence_penalty": -2.01},
        {"frequency_penalty": 3},
        {"frequency_penalty": -3},
        {"seed": -1},
        {"seed": 1 << 64},
        {"stop": ("",)},
        {"stop": ("a", 1)},
        {"stop": "a"},
        {"stop_token_ids": (3, -1)},
        {"stop_token_ids": [3]},
        {"stop_token_ids": (True,)},
        {"stop_token_ids": 3},
        {"logit_bias": {3: 100.5}},
        {"logit_bias": {3: -101}},
        {"logit_bias": {-3: 1}},
        {"logit_bias": {"3": 1}},
        {"logit_bias": {3: math.nan}},
        {"logit_bias": {3: True}},
        {"logit_bias": {3: None}},
        {"logit_bias": {True: 1}},
        {"logit_bias": 5},
        {"logit_bias": None},
        {"logit_bias": (1, 2)},
        {"min_tokens": -1},
        {"min_tokens": 6, "max_tokens": 5},
        {"ignore_eos": 1},
        {"ignore_eos": None},
        {"n": 0},
        {"logprobs": -1},
        {"logprobs": MOST_LOGPROBS + 1},
        {"prompt_logprobs": MOST_LOGPROBS + 1},
    ],
    ids=str,
)
def test_values_out_of_range_are_named(bad) -> None:
    with pytest.raises(OstroError, match=next(iter(bad))) as error:
        SamplingParams(**bad)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [True, False, "1", b"1", math.nan, math.inf, -math.inf, [1], 1j])
@pytest.mark.parametrize("name", WHOLE + REAL)
def test_what_is_no_number_is_named(name, value) -> None:
    with pytest.raises(OstroError, match=f"^{name} = "):
        SamplingParams(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [1.0, 1.5, Fraction(1)])
def test_whole_numbers_are_of_a_whole_kind(name, value) -> None:
    with pytest.raises(OstroError, match=f"{name} = .* give a whole number of at least"):
        SamplingParams(**{name: value})


@pytest.mark.parametrize("name", [*REAL, "top_k", "min_tokens", "n", "ignore_eos", "stop"])
def test_none_is_taken_only_where_it_means_something(name) -> None:
    with pytest.raises(OstroError, match=f"{name} = None"):
        SamplingParams(**{name: None})


def test_a_range_is_told() -> None:
    told = {
        "top_p": "give a number above 0 and at most 1",
        "presence_penalty": "give a number of at least -2 and at most 2",
        "temperature": "give a number of at least 0",
        "n": "give a whole number of at least 1",
    }
    for name, text in told.items():
        with pytest.raises(OstroError, match=f"{text}$"):
            SamplingParams(**{name: -7})


@pytest.mark.parametrize(
    "good",
    [
        {"max_tokens": 5, "min_tokens": 5},
        {"min_tokens": 5},
        {"top_p": 1, "min_p": 0, "temperature": 2},
        {"presence_penalty": -2, "frequency_penalty": 2},
        {"seed": (1 << 64) - 1},
        {"logprobs": 0, "prompt_logprobs": MOST_LOGPROBS},
        {"logit_bias": {0: -100, 7: 100}},
        {"stop": ("a", "b"), "stop_token_ids": (0, 5)},
    ],
    ids=str,
)
def test_the_ends_of_ranges_are_taken(good) -> None:
    params = SamplingParams(**good)
    for name, value in good.items():
        kept = getattr(params, name)
        assert (dict(kept) if name == "logit_bias" else kept) == value


def test_numbers_of_other_libraries_become_pythons_own() -> None:
    params = SamplingParams(
        top_k=np.int64(5), temperature=np.float32(0.5), min_p=Fraction(1, 4), top_p=1
    )
    kinds = [type(value) for value in (params.top_k, params.temperature, params.min_p)]
    assert kinds == [int, float, float]
    assert (params.temperature, params.min_p) == (0.5, 0.25)
    assert type(params.top_p) is float


def test_the_bias_cannot_be_changed_from_outside() -> None:
    given = {7: 1.0, 3: -2.0}
    params = SamplingParams(logit_bias=given)
    given[8] = 100.0
    assert params.logit_bias == ((3, -2.0), (7, 1.0))


def test_parameters_are_values() -> None:
    """They can be compared, hashed, changed in a copy, and sent elsewhere."""
    params = SamplingParams(logit_bias={7: 1, 3: -2}, stop=("a",), seed=3)
    assert params == SamplingParams(logit_bias={3: -2, 7: 1}, stop=("a",), seed=3)
    assert len({params, dataclasses.replace(params, seed=3)}) == 1
    assert dataclasses.replace(params, seed=4) != params
    assert pickle.loads(pickle.dumps(params)) == params
    assert SamplingParams(**dataclasses.asdict(params)) == params


def test_loose_arguments_make_the_same() -> None:
    loose = SamplingParams.of(
        stop="end", stop_token_ids=[1, 2], logit_bias={5: 1}, temperature=None, seed=None, top_k=3
    )
    assert loose == SamplingParams(stop=("end",), stop_token_ids=(1, 2), logit_bias={5: 1}, top_k=3)
    assert SamplingParams.of(stop=["a", "b"]).stop == ("a", "b")
    everything = dict.fromkeys(SamplingParams.__dataclass_fields__)
    assert SamplingParams.of(**everything) == SamplingParams()


def test_an_unknown_argument_is_named_beside_those_known() -> None:
    with pytest.raises(OstroError, match=r"unknown option 'topk'; known: max_tokens, .*top_k"):
        SamplingParams.of(topk=3)
    with pytest.raises(OstroError, match="unknown option 'topk'"):
        SamplingParams.of(topk=None)


@pytest.mark.parametrize("stop", ["", [""], [1], 5, {"a": 1}])
def test_a_stop_that_is_no_text_is_named(stop) -> None:
    with pytest.raises(OstroError, match="stop = "):
        SamplingParams.of(stop=stop)


def test_eos_and_stop_tokens_end_an_answer() -> None:
    assert SamplingParams().ends({2, 3}) == {2, 3}
    assert SamplingParams(stop_token_ids=(5,)).ends({2}) == {2, 5}
    assert SamplingParams(ignore_eos=True).ends({2, 3}) == set()
    assert SamplingParams(ignore_eos=True, stop_token_ids=(2,)).ends({2, 3}) == {2}


def test_tokens_outside_the_vocabulary_are_named() -> None:
    SamplingParams(logit_bias={9: 1}, stop_token_ids=(9,)).check_vocabulary(10)
    with pytest.raises(OstroError, match="logit_bias: token 10 is not in the vocabulary"):
        SamplingParams(logit_bias={10: 1}).check_vocabulary(10)
    with pytest.raises(OstroError, match=r"stop_token_ids: token 11 .* below 10"):
        SamplingParams(stop_token_ids=(1, 11)).check_vocabulary(10)
