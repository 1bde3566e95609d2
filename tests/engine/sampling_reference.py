"""The sampler written out the slow way, masks bit by bit, and the kernels to test them with."""

import math
from collections.abc import Collection, Sequence

import pytest
import torch
from torch import Tensor

from native_library import contexts
from ostro.engine.params import SamplingParams
from ostro.kernels.dispatch import Kernels, torch_kernels
from ostro.kernels.library import NativeLibrary, load_library


def _kernels() -> list[Kernels]:
    """The PyTorch twins, and the native kernels where there are some."""
    if not isinstance(load_library(), NativeLibrary):
        return [torch_kernels()]
    return [torch_kernels(), *(context.kernels() for context in contexts(1).values())]


every_kernels = pytest.mark.parametrize("kernels", _kernels(), ids=lambda kernels: kernels.name)


def pack(allowed: Collection[int], size: int) -> Tensor:
    """The mask that a grammar gives: a bit for each token, int32 words, the lowest bit first."""
    words = [0] * -(-size // 32)
    for token in allowed:
        words[token // 32] |= 1 << (token % 32)
    return torch.tensor([word - (word >> 31 << 32) for word in words], dtype=torch.int32)


def adjusted(
    logits: Sequence[float], params: SamplingParams, tokens: Sequence[int], prompt_length: int
) -> list[float]:
    """The logits after bias and penalties."""
    bias, answer, found = dict(params.logit_bias), list(tokens[prompt_length:]), []
    for token, logit in enumerate(logits):
        value = logit + bias.get(token, 0.0)
        if token in tokens:
            penalty = params.repetition_penalty
            value = value / penalty if value > 0 else value * penalty
        value -= params.frequency_penalty * answer.count(token)
        value -= params.presence_penalty * (token in answer)
        found.append(value)
    return found


def distribution(
    logits: Sequence[float],
    params: SamplingParams,
    tokens: Sequence[int] = (),
    *,
    prompt_length: int = 0,
    ends: Collection[int] = (),
    allowed: Collection[int] | None = None,
) -> dict[int, float]:
    """Each token that may be drawn and its probability, in the order of the draw, in float64."""
    early = len(tokens) - prompt_length < params.min_tokens
    left = {}
    for token, value in enumerate(adjusted(logits, params, tokens, prompt_length)):
        if not (early and token in ends) and (allowed is None or token in allowed):
            left[token] = value / params.temperature
    order = sorted(left, key=lambda token: (-left[token], token))
    order = order[: params.top_k or None]
    powers = {token: math.exp(left[token] - left[order[0]]) for token in order}
    total = sum(powers.values())
    kept: dict[int, float] = {}
    before = 0.0
    for token in order:
        probability = powers[token] / total
        if before < params.top_p and powers[token] >= params.min_p:
            kept[token] = probability
        before += probability
    return {token: probability / sum(kept.values()) for token, probability in kept.items()}


def candidates(kept: dict[int, float], noise: float, slack: float) -> set[int]:
    """The tokens that ``noise`` falls on, and their neighbours where it is within ``slack``."""
    found, low = set(), 0.0
    for token, probability in kept.items():
        if low - slack <= noise <= low + probability + slack:
            found.add(token)
        low += probability
    return found
