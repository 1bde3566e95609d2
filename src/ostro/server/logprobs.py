"""Log probabilities of tokens in the two shapes that clients know."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

LEAST = -9999.0
"""What stands for a probability of 0, as with OpenAI: JSON has no infinity."""


@dataclass(frozen=True)
class TokenLogprob:
    """A token, how likely it was, and what was likeliest in its place."""

    token_id: int
    data: bytes
    """The token's own bytes, which need not be whole characters."""
    logprob: float | None
    """Natural logarithm; None for a first token, before which there is nothing."""
    top: tuple["TokenLogprob", ...] = ()
    """The likeliest tokens, likeliest first."""

    @property
    def text(self) -> str:
        """The token as text, with U+FFFD for what is no whole character."""
        return self.data.decode(errors="replace")


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    """OpenAI's shape for chats; ``token_id`` is Mistral's addition.

    A token without a logprob, as a prompt's first, is left out: clients want a number there.
    """
    told = [token for token in tokens if token.logprob is not None]
    return {"content": [{**_entry(token), "top_logprobs": _top(token)} for token in told]}


def completion_logprobs(tokens: Sequence[TokenLogprob], start: int = 0) -> dict[str, Any]:
    """The older shape for completions; ``start`` is where the first token begins in the text.

    Offsets count characters, as far as single tokens have them. Where two of the likeliest tokens
    have the same name, the likelier one stands.
    """
    names = [_name(token) for token in tokens]
    lengths = (len(token.text) for token in tokens)
    return {
        "tokens": names,
        "token_logprobs": [_finite(token.logprob) for token in tokens],
        "top_logprobs": [
            None if token.logprob is None else _top_by_name(token) for token in tokens
        ],
        "text_offset": list(accumulate(lengths, initial=start))[:-1],
    }


def _entry(token: TokenLogprob) -> dict[str, Any]:
    return {
        "token": token.text,
        "logprob": _finite(token.logprob),
        "bytes": list(token.data),
        "token_id": token.token_id,
    }


def _top(token: TokenLogprob) -> list[dict[str, Any]]:
    return [_entry(other) for other in token.top]


def _top_by_name(token: TokenLogprob) -> dict[str, float | None]:
    return {_name(other): _finite(other.logprob) for other in reversed(token.top)}


def _name(token: TokenLogprob) -> str:
    """The text, or OpenAI's way of writing bytes that are none."""
    try:
        return token.data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.data)


def _finite(logprob: float | None) -> float | None:
    if logprob is None:
        return None
    return max(logprob, LEAST) if not math.isnan(logprob) else LEAST
