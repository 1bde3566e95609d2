"""Preference losses: the chosen answer over the rejected one, measured against a reference model.

Log probabilities are those of whole answers, summed over their tokens (:func:`sequence_sums` of
:func:`ostro.objectives.language.token_logprobs`), the prompt's left out.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ostro.config.recipe import PreferenceOptions


@dataclass(frozen=True)
class Answers:
    """One side of N pairs."""

    logprobs_N: Tensor
    """Under the model that is trained."""
    reference_N: Tensor
    """Under the reference model."""
    tokens_N: Tensor
    """How many tokens were summed."""


@dataclass(frozen=True)
class Preference:
    """The loss, and what tells how it comes about. All are ``[N]``."""

    loss_N: Tensor
    chosen_reward_N: Tensor
    """beta * (log p - log p of the reference)."""
    rejected_reward_N: Tensor

    @property
    def margin_N(self) -> Tensor:
        """By how much the chosen answer's reward is higher."""
        return self.chosen_reward_N - self.rejected_reward_N


def preference_loss(chosen: Answers, rejected: Answers, options: PreferenceOptions) -> Preference:
    """DPO (Rafailov et al., 2023), or IPO (Azar et al., 2023).

    sigmoid: -log sigmoid(beta * h) with h the difference of both answers' log ratios, ln 2 where
    the model is its reference. ipo: (h - 1 / (2 beta))^2 with log ratios for each token.
    """
    is_mean = options.length_normalised or options.kind == "ipo"
    ratios = [
        (side.logprobs_N - side.reference_N.detach())
        / (side.tokens_N.clamp(min=1) if is_mean else 1)
        for side in (chosen, rejected)
    ]
    margin_N = ratios[0] - ratios[1]
    if options.kind == "ipo":
        loss_N = (margin_N - 1 / (2 * options.beta)).square()
    else:
        loss_N = -F.logsigmoid(options.beta * margin_N)
    if options.chosen_nll:
        nll_N = -chosen.logprobs_N / chosen.tokens_N.clamp(min=1)
        loss_N = loss_N + options.chosen_nll * nll_N
    rewards = [options.beta * ratio.detach() for ratio in ratios]
    return Preference(loss_N, *rewards)


def sequence_sums(values_T: Tensor, lengths_N: Tensor) -> Tensor:
    """Sums ``[N]`` over sequences that stand one after another and have so many rows each."""
    if int(lengths_N.sum()) != len(values_T):
        raise ValueError(f"sequences of {int(lengths_N.sum())} rows do not fill {len(values_T)}")
    owners_T = torch.repeat_interleave(lengths_N)
    sums_N = values_T.new_zeros(len(lengths_N))
    return sums_N.index_add(0, owners_T, values_T)
