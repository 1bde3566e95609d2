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

    def __init__(self, params: SamplingParams, choice: int = 0) -> None:
        self.params, self.choice = params, choice
        self.seed = secrets.randbits(63) if params.seed is None else params.seed

    def sample(self, logits_V: Tensor, seen: Sequence[int], position: int) -> int:
        """The token at ``position``, from float32 logits and the tokens before it."""
        params = self.params
        if params.repetition_penalty != 1.0:
            logits_V = _penalised(logits_V, seen, params.repetition_penalty)
        if params.temperature == 0.0:
            return int(logits_V.argmax())
        probabilities, tokens = filtered_probabilities(logits_V, params)
        threshold = uniform(self.seed, self.choice, position) * probabilities.sum()
        index = int(torch.searchsorted(probabilities.cumsum(0), threshold, right=True))
        return int(tokens[min(index, len(tokens) - 1)])


def filtered_probabilities(logits_V: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """Probabilities (float64, likeliest first, not renormalised) and tokens that may be drawn."""
    count = min(params.top_k or logits_V.numel(), logits_V.numel())
    logits, tokens = torch.topk(logits_V.double() / params.temperature, count)
    probabilities = torch.softmax(logits, dim=0)
    # A token stays if the sum before it has not reached top_p: the first always does.
    before = probabilities.cumsum(0) - probabilities
    keep = before < params.top_p
    keep &= probabilities >= params.min_p * probabilities[0]
    return probabilities[keep], tokens[keep]


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
