"""DPO and IPO: what they are at the beginning, by their formulas, and where they lead."""

import math

import pytest
import torch

from ostro.config.recipe import PreferenceOptions
from ostro.objectives.preference import Answers, preference_loss, sequence_sums


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def side(logprobs: torch.Tensor, reference: torch.Tensor, *tokens: int) -> Answers:
    return Answers(logprobs, reference, torch.tensor(tokens))


@pytest.fixture
def pairs() -> tuple[Answers, Answers]:
    chosen = side(numbers(-12.0, -7.5), numbers(-11.0, -9.0), 6, 3)
    return chosen, side(numbers(-20.0, -4.0), numbers(-18.5, -4.5), 10, 2)


@pytest.mark.parametrize("beta", [0.01, 0.1, 5.0])
def test_a_model_that_is_its_reference_has_a_loss_of_ln_2(beta) -> None:
    both = numbers(-3.0, -40.0)
    chosen, rejected = side(both, both, 4, 9), side(both - 1, both - 1, 2, 1)
    found = preference_loss(chosen, rejected, PreferenceOptions(beta=beta))
    torch.testing.assert_close(found.loss_N, torch.full_like(both, math.log(2)))
    ipo = preference_loss(chosen, rejected, PreferenceOptions(kind="ipo", beta=beta))
    torch.testing.assert_close(ipo.loss_N, torch.full_like(both, (1 / (2 * beta)) ** 2))
    assert not found.margin_N.any()


def test_the_loss_is_that_of_its_formula(pairs) -> None:
    found = preference_loss(*pairs, PreferenceOptions(beta=0.5))
    for loss, ratio in zip(found.loss_N, (-1 + 1.5, 1.5 - 0.5), strict=True):
        assert loss.item() == pytest.approx(-math.log(1 / (1 + math.exp(-0.5 * ratio))))
    assert found.chosen_reward_N.tolist() == pytest.approx([-0.5, 0.75])
    assert found.rejected_reward_N.tolist() == pytest.approx([-0.75, 0.25])
    assert found.margin_N.tolist() == pytest.approx([0.25, 0.5])


def test_length_normalised_ratios_are_those_of_a_token(pairs) -> None:
    options = PreferenceOptions(beta=2.0, length_normalised=True)
    found = preference_loss(*pairs, options)
    for loss, ratio in zip(found.loss_N, (-1 / 6 + 0.15, 0.5 - 0.25), strict=True):
        assert loss.item() == pytest.approx(math.log1p(math.exp(-2 * ratio)))
    ipo = preference_loss(*pairs, PreferenceOptions(kind="ipo", beta=2.0))
    expected = [(-1 / 6 + 0.15 - 0.25) ** 2, (0.25 - 0.25) ** 2]
    assert ipo.loss_N.tolist() == pytest.approx(expected)


def test_the_chosen_answer_s_own_loss_is_added_for_each_token(pairs) -> None:
    plain = preference_loss(*pairs, PreferenceOptions())
    mixed = preference_loss(*pairs, PreferenceOptions(chosen_nll=0.3))
    assert (mixed.loss_N - plain.loss_N).tolist() == pytest.approx([0.3 * 2.0, 0.3 * 2.5])


def test_the_chosen_is_pulled_up_the_rejected_down_and_the_reference_left(pairs) -> None:
    chosen, rejected = pairs
    loss = preference_loss(chosen, rejected, PreferenceOptions(beta=0.5)).loss_N.sum()
    loss.backward()
    weights = [0.5 / (1 + math.exp(0.5 * ratio)) for ratio in (0.5, 1.0)]
    assert chosen.logprobs_N.grad.tolist() == pytest.approx([-weight for weight in weights])
    assert rejected.logprobs_N.grad.tolist() == pytest.approx(weights)
    assert chosen.reference_N.grad is None
    assert rejected.reference_N.grad is None


def test_sums_are_those_of_each_sequence() -> None:
    values = numbers(1.0, 2.0, 4.0, 8.0, 16.0)
    sums = sequence_sums(values, torch.tensor([2, 0, 3]))
    assert sums.tolist() == [3.0, 0.0, 28.0]
    (sums * torch.tensor([1.0, 1.0, 10.0])).sum().backward()
    assert values.grad.tolist() == [1, 1, 10, 10, 10]
    with pytest.raises(ValueError, match="sequences of 4 rows do not fill 5"):
        sequence_sums(values, torch.tensor([2, 2]))
