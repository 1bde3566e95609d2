"""How the next token is chosen.

The order is that of most engines: logit bias, tokens that may not come yet, the grammar's mask,
penalties, temperature, top-k, top-p, min-p. The noise is one number drawn from a counter (seed,
choice, position), so that it does not depend on what else runs, nor on how often a state was
advanced before.
"""

import ctypes
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ostro.engine.params import SamplingParams
from ostro.errors import OstroError
from ostro.kernels.dispatch import Kernels


class Sampler:
    """Chooses the tokens of one answer. It remembers nothing of the tokens it chose."""

    def __init__(
        self,
        params: SamplingParams,
        kernels: Kernels,
        *,
        choice: int = 0,
        prompt_length: int,
        ends: frozenset[int],
    ) -> None:
        """``ends`` are the tokens that end the answer: see :meth:`SamplingParams.ends`."""
        self.params, self.kernels, self.choice = params, kernels, choice
        self.prompt_length, self.ends = prompt_length, ends
        self.seed = secrets.randbits(63) if params.seed is None else params.seed
        self._greedy = params.temperature < _COLDEST
        self._penalties = Penalties(params, prompt_length)

    def sample(self, logits_V: Tensor, tokens: Sequence[int], *, mask: Tensor | None = None) -> int:
        """The next token, from float32 logits and all tokens before it, those of the prompt too.

        ``mask`` tells which tokens a grammar allows, as int32 ``[ceil(V / 32)]``: token i is
        allowed if bit i % 32 of word i // 32 is set. An :class:`OstroError` if no token is left.
        """
        logits = self._penalties.apply(logits_V, tokens)
        allowed = self._allowed(logits_V, len(tokens), mask)
        if allowed is None:
            return self._choose(logits, len(tokens))
        if not len(allowed):
            raise OstroError("no token may come next: the grammar and min_tokens forbid them all")
        # Of the others nothing is left, so that no temperature can bring one of them back.
        return int(allowed[self._choose(logits[allowed], len(tokens))])

    def _allowed(self, logits_V: Tensor, position: int, mask: Tensor | None) -> Tensor | None:
        """The tokens that may come, ascending; None if all may."""
        early = position - self.prompt_length < self.params.min_tokens
        if mask is None and not (early and self.ends):
            return None
        size, device = logits_V.numel(), logits_V.device
        if mask is None:
            allowed_V = torch.ones(size, dtype=torch.bool, device=device)
        else:
            allowed_V = unpack(mask.to(device), size)
        if early:
            self.params.check_vocabulary(size)
            allowed_V[[end for end in self.ends if end < size]] = False
        return allowed_V.nonzero().squeeze(1)

    def _choose(self, logits_V: Tensor, position: int) -> int:
        """The place of the token at ``position`` among the logits."""
        params = self.params
        temperature = 1.0 if self._greedy else _single(params.temperature)
        where, log_sum = self.kernels.summarise(logits_V, temperature)
        check_finite(log_sum)
        if self._greedy:
            return where
        noise = uniform(self.seed, self.choice, position)
        limit = min(params.top_k or logits_V.numel(), logits_V.numel())
        # The likeliest few nearly always decide, and are found much faster than all are sorted.
        for count in (limit,) if params.top_k else (min(_FEW, limit), limit):
            likeliest = likeliest_tokens(self.kernels, logits_V, params, count, log_sum)
            token = likeliest.draw(noise)
            if token is not None:
                break
        assert token is not None
        return token


_FEW = 256
# Below this, powers overflow, and only tokens that are all but equally likely would be drawn.
_COLDEST = 1e-5


@dataclass(frozen=True)
class Likeliest:
    """The likeliest tokens that may be drawn, and what is known of the rest."""

    probabilities: Tensor
    """Float64, likeliest first, as the model gives them: not renormalised."""
    tokens: Tensor
    total: float | None
    """The sum over all tokens that may be drawn; None where more are needed to know it."""
    complete: bool
    """Whether no other token may be drawn."""

    def draw(self, noise: float) -> int | None:
        """The token that a number in [0, 1) falls on; None if it may be one that is not here."""
        if self.total is None:
            return None
        sums = self.probabilities.cumsum(0)
        index = int(torch.searchsorted(sums, noise * self.total, right=True))
        if index == len(sums):
            if not self.complete:
                return None
            index -= 1
        return int(self.tokens[index])


def likeliest_tokens(
    kernels: Kernels, logits_V: Tensor, params: SamplingParams, count: int, log_sum: float
) -> Likeliest:
    """Apply top-k, top-p and min-p to the ``count`` likeliest tokens.

    ``log_sum`` is log(sum(exp(logits / temperature))) over the vocabulary.
    """
    limit = min(params.top_k or logits_V.numel(), logits_V.numel())
    logits, tokens = kernels.largest(logits_V, count)
    scaled = logits.double() / _single(params.temperature)
    if params.top_k and count == limit:
        log_sum = float(torch.logsumexp(scaled, dim=0))
    probabilities = torch.exp(scaled - log_sum)
    # Where all noise is used up the last is drawn, so that none may be impossible.
    keep = (probabilities > 0) & (probabilities >= params.min_p * probabilities[0])
    if params.top_p < 1.0:
        # A token stays if the sum before it has not reached top_p: the first always does.
        keep &= probabilities.cumsum(0) - probabilities < params.top_p
    probabilities, tokens = probabilities[keep], tokens[keep]
    complete = count == limit or len(tokens) < count
    total: float | None = None
    if complete:
        total = float(probabilities.sum())
    elif not params.top_k and params.top_p == 1.0 and params.min_p == 0.0:
        total = 1.0
    return Likeliest(probabilities, tokens, total, complete)


class Penalties:
    """What is added to the logits of single tokens: the bias, and penalties for repeating."""

    def __init__(self, params: SamplingParams, prompt_length: int) -> None:
        self.params, self.prompt_length = params, prompt_length
        self._prompt: Tensor | None = None
        pairs = list(dict(params.logit_bias).items())
        self._biased = torch.tensor([token for token, _ in pairs], dtype=torch.long)
        self._bias = torch.tensor([bias for _, bias in pairs], dtype=torch.float32)

    def apply(self, logits_V: Tensor, tokens: Sequence[int]) -> Tensor:
        """The logits, changed in a copy if there is anything to change."""
        params = self.params
        repeats = params.repetition_penalty != 1.0
        counts = params.presence_penalty != 0.0 or params.frequency_penalty != 0.0
        if not (repeats or counts or params.logit_bias):
            return logits_V
        changed_V, device = logits_V.clone(), logits_V.device
        if params.logit_bias:
            params.check_vocabulary(logits_V.numel())
            changed_V[self._biased.to(device)] += self._bias.to(device)
        if not (repeats or counts):
            return changed_V
        answer = torch.tensor(tokens[self.prompt_length :], dtype=torch.long, device=device)
        if repeats:
            seen = torch.cat([self._prompt_tokens(tokens, device), answer])
            _divide(changed_V, seen, params.repetition_penalty)
        if counts:
            _subtract(changed_V, answer, params.presence_penalty, params.frequency_penalty)
        return changed_V

    def _prompt_tokens(self, tokens: Sequence[int], device: torch.device) -> Tensor:
        """The different tokens of the prompt: found once, since it may be long."""
        if self._prompt is None:
            prompt = torch.tensor(tokens[: self.prompt_length], dtype=torch.long, device=device)
            self._prompt = prompt.unique()
        return self._prompt


# Logits stay well within float32, whose range a penalty could leave: differences of these, divided
# by any temperature, are finite.
_FARTHEST = 1e30


def _divide(logits_V: Tensor, tokens: Tensor, penalty: float) -> None:
    # A token that is there twice is written twice, with the same number.
    old = logits_V[tokens].double()
    new = torch.where(old > 0, old / penalty, old * penalty).clamp(-_FARTHEST, _FARTHEST)
    logits_V[tokens] = new.float()


def _subtract(logits_V: Tensor, tokens: Tensor, presence: float, frequency: float) -> None:
    different, counts = tokens.unique(return_counts=True)
    logits_V[different] -= (presence + frequency * counts.double()).float()


def unpack(mask: Tensor, size: int) -> Tensor:
    """Booleans ``[size]`` from a bit for each token, in int32 words, the lowest bit first."""
    words = -(-size // 32)
    assert mask.dtype == torch.int32, mask.dtype
    assert mask.shape == (words,), f"{tuple(mask.shape)} words, not {words}"
    bits = torch.arange(32, dtype=torch.int32, device=mask.device)
    return ((mask.unsqueeze(1) >> bits) & 1).flatten()[:size].bool()


def check_finite(log_sum: float) -> None:
    """Refuse what is NaN because a logit is not a finite number."""
    if math.isnan(log_sum):
        raise OstroError(
            "the model's numbers overflowed; compute in another type (--type BF16 or F32)"
        )


def uniform(seed: int, choice: int, position: int) -> float:
    """A number in [0, 1) that depends on its arguments alone (Philox, Salmon et al., 2011)."""
    # A list would become float64 where the seed needs all 64 bits.
    key = np.array([seed, choice], dtype=np.uint64)
    generator = np.random.Philox(key=key, counter=[0, 0, 0, position])
    return float(generator.random_raw() >> 11) * 2.0**-53


def _single(number: float) -> float:
    """The nearest float32: what native code divides by, and so must all that is compared."""
    return ctypes.c_float(number).value
