"""How likely the model found a token: against float64, on all kernels."""

import math

import pytest
import torch

from engine.sampling_reference import every_kernels
from ostro.engine.logprobs import TokenLogprob, prompt_logprobs, token_logprobs
from ostro.errors import OstroError
from ostro.kernels.dispatch import torch_kernels

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 2.0])


@every_kernels
@pytest.mark.parametrize("size", [5, 4096, 32_003])
def test_they_are_the_log_softmax_of_the_logits(kernels, size) -> None:
    logits = torch.randn(size, generator=torch.Generator().manual_seed(size)) * 6
    expected = torch.log_softmax(logits.double(), dim=0)
    order = torch.sort(expected, descending=True, stable=True).indices.tolist()
    for token in (0, size - 1, order[0], order[3]):
        found = token_logprobs(kernels, logits, token, 5)
        assert found.chosen == TokenLogprob(token, pytest.approx(float(expected[token]), abs=1e-5))
        assert found.rank == order.index(token) + 1
        assert [entry.token_id for entry in found.top] == order[:5]
        values = [entry.logprob for entry in found.top]
        assert values == pytest.approx(expected[order[:5]].tolist(), abs=1e-5)
        if token in order[:5]:
            assert found.chosen in found.top


@every_kernels
def test_equal_tokens_share_a_rank(kernels) -> None:
    ranks = [token_logprobs(kernels, LOGITS, token, 0).rank for token in range(5)]
    assert ranks == [4, 1, 2, 5, 2]


@every_kernels
def test_none_of_the_likeliest_and_more_than_there_are(kernels) -> None:
    assert token_logprobs(kernels, LOGITS, 3, 0).top == ()
    everything = token_logprobs(kernels, LOGITS, 3, 20).top
    assert [entry.token_id for entry in everything] == [1, 2, 4, 0, 3]
    assert sum(math.exp(entry.logprob) for entry in everything) == pytest.approx(1, abs=1e-6)


@every_kernels
def test_no_probability_is_above_one(kernels) -> None:
    for scale in (30.0, 100.0, 12_345.678, 1e30):
        certain = torch.zeros(5000)
        certain[77] = scale
        assert -1e-6 < token_logprobs(kernels, certain, 77, 0).chosen.logprob <= 0.0


@every_kernels
def test_a_prompt_is_token_after_token(kernels) -> None:
    logits = torch.randn(6, 300, generator=torch.Generator().manual_seed(0))
    following = [5, 299, 0, 5, 17, 80]
    found = prompt_logprobs(kernels, logits, following, 2)
    assert found == [
        token_logprobs(kernels, row, token, 2) for row, token in zip(logits, following, strict=True)
    ]
    assert [entry.chosen.token_id for entry in found] == following
    assert prompt_logprobs(kernels, logits[:0], [], 2) == []


@every_kernels
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_told(kernels, value) -> None:
    logits = torch.zeros(3, 40)
    logits[1, 30] = value
    with pytest.raises(OstroError, match="numbers overflowed"):
        prompt_logprobs(kernels, logits, [1, 2, 3], 1)


@pytest.mark.parametrize("count", [2, 4])
def test_rows_and_tokens_must_be_as_many(count) -> None:
    with pytest.raises(ValueError, match="zip"):
        prompt_logprobs(torch_kernels(), torch.zeros(3, 40), [1] * count, 1)
