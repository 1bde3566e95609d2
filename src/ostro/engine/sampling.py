"""How the next token is chosen: parameters, and the sampler.

The order is that of most engines: repetition penalty, temperature, top-k, top-p, min-p. The noise
is one number drawn from a counter (seed, choice, position), so that it does not depend on what
else runs, nor on how often a state was advanced before.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ostro.errors import OstroError
from ostro.kernels.dispatch import Kernels


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """What a request may ask for. The defaults are greedy and end at EOS or the context."""

    max_tokens: int | None = None
    temperature: float = 0.0
    """0 takes the likeliest token; 1 samples from the model's own distribution."""
    top_p: float = 1.0
    """Keep the fewest tokens whose probabilities reach this sum (Holtzman et al., 2020)."""
    top_k: int = 0
    """Keep this many tokens; 0 keeps all."""
    min_p: float = 0.0
    """Keep tokens at least this likely, relative to the likeliest."""
    repetition_penalty: float = 1.0
    """Divide the logits of tokens already seen by this (Keskar et al., 2019); 1 changes nothing."""
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1

    def __post_init__(self) -> None:
        _check("max_tokens", self.max_tokens, self.max_tokens is None or self.max_tokens >= 1)
        _check("temperature", self.temperature, 0 <= self.temperature < float("inf"))
        _check("top_p", self.top_p, 0 < self.top_p <= 1)
        _check("top_k", self.top_k, self.top_k >= 0)
        _check("min_p", self.min_p, 0 <= self.min_p <= 1)
        _check(
            "repetition_penalty",
            self.repetition_penalty,
            0 < self.repetition_penalty < float("inf"),
        )
        _check("seed", self.seed, self.seed is None or 0 <= self.seed < 1 << 64)
        _check("stop", self.stop, isinstance(self.stop, tuple) and all(self.stop))


class Sampler:
    """Chooses the tokens of one answer."""

    def __init__(self, params: SamplingParams, kernels: Kernels, choice: int = 0) -> None:
        self.params, self.kernels, self.choice = params, kernels, choice
        self.seed = secrets.randbits(63) if params.seed is None else params.seed

    def sample(self, logits_V: Tensor, seen: Sequence[int], position: int) -> int:
        """The token at ``position``, from float32 logits and the tokens before it."""
        params = self.params
        if params.repetition_penalty != 1.0:
            logits_V = _penalised(logits_V, seen, params.repetition_penalty)
        if params.temperature == 0.0:
            return self.kernels.summarise(logits_V, 1.0)[0]
        noise = uniform(self.seed, self.choice, position)
        limit = min(params.top_k or logits_V.numel(), logits_V.numel())
        log_sum = self.kernels.summarise(logits_V, params.temperature)[1]
        # The likeliest few nearly always decide, and are found much faster than all are sorted.
        for count in (limit,) if params.top_k else (min(_FEW, limit), limit):
            likeliest = likeliest_tokens(self.kernels, logits_V, params, count, log_sum)
            token = likeliest.draw(noise)
            if token is not None:
                break
        assert token is not None
        return token


_FEW = 256


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
    scaled = logits.double() / params.temperature
    if params.top_k and count == limit:
        log_sum = float(torch.logsumexp(scaled, dim=0))
    probabilities = torch.exp(scaled - log_sum)
    # A token stays if the sum before it has not reached top_p: the first always does.
    before = probabilities.cumsum(0) - probabilities
    keep = before < params.top_p
    keep &= probabilities >= params.min_p * probabilities[0]
    probabilities, tokens = probabilities[keep], tokens[keep]
    complete = count == limit or len(tokens) < count
    total: float | None = None
    if complete:
        total = float(probabilities.sum())
    elif not params.top_k and params.top_p == 1.0 and params.min_p == 0.0:
        total = 1.0
    return Likeliest(probabilities, tokens, total, complete)


def uniform(seed: int, choice: int, position: int) -> float:
    """A number in [0, 1) that depends on its arguments alone (Philox, Salmon et al., 2011)."""
    generator = np.random.Philox(key=[seed, choice], counter=[0, 0, 0, position])
    return float(generator.random_raw() >> 11) * 2.0**-53


def _penalised(logits_V: Tensor, seen: Sequence[int], penalty: float) -> Tensor:
    tokens = torch.tensor(sorted(set(seen)), device=logits_V.device, dtype=torch.long)
    chosen = logits_V[tokens]
    changed = logits_V.clone()
    changed[tokens] = torch.where(chosen > 0, chosen / penalty, chosen * penalty)
    return changed


def _check(name: str, value: object, good: bool) -> None:
    if not good:
        raise OstroError(f"{name} = {value!r} is out of range")
