"""How likely the model found a token, and which it found likelier.

These are the logarithms of the model's own distribution: the softmax of its logits at temperature
1, before bias, masks and penalties. They say what the model thinks and not what was asked of the
sampler, so that a token that was forced may be a very unlikely one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ostro.engine.sampling import check_finite
from ostro.kernels.dispatch import Kernels


@dataclass(frozen=True)
class TokenLogprob:
    """A token and the natural logarithm of its probability."""

    token_id: int
    logprob: float


@dataclass(frozen=True)
class TokenLogprobs:
    """What is told of one place in a text."""

    chosen: TokenLogprob
    rank: int
    """1 if no token was likelier than the chosen one, 2 if one was, and so on."""
    top: tuple[TokenLogprob, ...]
    """The likeliest tokens, likeliest first; the chosen one is among them if it is so likely."""


def token_logprobs(kernels: Kernels, logits_V: Tensor, token_id: int, top: int) -> TokenLogprobs:
    """What the model thought of ``token_id`` and of the ``top`` likeliest, from float32 logits.

    An :class:`~ostro.errors.OstroError` if the logits are not finite.
    """
    log_sum = kernels.summarise(logits_V, 1.0)[1]
    check_finite(log_sum)
    logit = logits_V[token_id]
    rank = int((logits_V > logit).count_nonzero()) + 1
    likeliest: tuple[TokenLogprob, ...] = ()
    if top:
        logits, tokens = kernels.largest(logits_V, top)
        pairs = zip(tokens.tolist(), logits.tolist(), strict=True)
        likeliest = tuple(_logprob(token, value, log_sum) for token, value in pairs)
    return TokenLogprobs(_logprob(token_id, float(logit), log_sum), rank, likeliest)


def prompt_logprobs(
    kernels: Kernels, logits_TV: Tensor, following: Sequence[int], top: int
) -> list[TokenLogprobs]:
    """:func:`token_logprobs` of a text: row t of the logits was followed by ``following[t]``.

    The first token of a prompt follows nothing, so there is one fewer of these than of its tokens.
    """
    rows = zip(logits_TV, following, strict=True)
    return [token_logprobs(kernels, logits_V, token_id, top) for logits_V, token_id in rows]


def _logprob(token_id: int, logit: float, log_sum: float) -> TokenLogprob:
    # The sum is rounded, and a logarithm above 0 would be a probability above 1.
    return TokenLogprob(token_id, min(logit - log_sum, 0.0))
