"""What a request may ask of sampling: every field, its range, and what is said of a wrong value."""

import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ostro.errors import OstroError

MOST_LOGPROBS = 20
"""The most alternatives that are reported beside a token."""

LogitBias = Mapping[int, float] | tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """What a request may ask for. The defaults are greedy and end at EOS or the context.

    A value that a field doesn't take is an :class:`OstroError` that names the field.
    """

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
    """Divide the positive logits of tokens in prompt and answer by this, and multiply the negative
    ones (Keskar et al., 2019); 1 changes nothing."""
    presence_penalty: float = 0.0
    """Subtract this from the logits of tokens in the answer, as OpenAI's API does."""
    frequency_penalty: float = 0.0
    """Subtract this as often as the token stands in the answer, as OpenAI's API does."""
    logit_bias: LogitBias = ()
    """Add this to a token's logit: -100 all but forbids it, 100 all but forces it. Kept as pairs
    of token and bias, in the order of tokens."""
    seed: int | None = None
    """The same seed gives the same answer; None draws one."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer, and are not part of it."""
    stop_token_ids: tuple[int, ...] = ()
    """Tokens that end the answer, beside EOS."""
    min_tokens: int = 0
    """No token may end the answer before it has this many."""
    ignore_eos: bool = False
    """Whether EOS is a token like any other."""
    n: int = 1
    """How many answers."""
    logprobs: int | None = None
    """How many of the likeliest tokens to report beside each one chosen; None reports nothing."""
    prompt_logprobs: int | None = None
    """The same for the tokens of the prompt."""

    def __post_init__(self) -> None:
        for name, numbers in _NUMBERS:
            self._set(name, numbers.read(name, getattr(self, name)))
        self._set("logit_bias", _read_bias(self.logit_bias))
        self._set("stop_token_ids", _read_tokens(self.stop_token_ids))
        if not isinstance(self.stop, tuple) or not all(_is_text(text) for text in self.stop):
            raise OstroError(f"stop = {self.stop!r} is out of range; give texts that aren't empty")
        if not isinstance(self.ignore_eos, bool):
            raise OstroError(f"ignore_eos = {self.ignore_eos!r} is neither True nor False")
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            raise OstroError(
                f"min_tokens = {self.min_tokens} is above max_tokens = {self.max_tokens}; "
                "lower it, or give more max_tokens"
            )

    @classmethod
    def of(cls, **values: Any) -> "SamplingParams":
        """From loose keyword arguments: an unknown name is an error, None means the default.

        ``stop`` may be one text; it and ``stop_token_ids`` may be lists.
        """
        known = cls.__dataclass_fields__
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise OstroError(f"unknown option {unknown[0]!r}; known: {', '.join(known)}")
        given = {name: value for name, value in values.items() if value is not None}
        if isinstance(given.get("stop"), str):
            given["stop"] = (given["stop"],)
        for name in ("stop", "stop_token_ids"):
            if isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        return cls(**given)

    def ends(self, eos_ids: Collection[int]) -> frozenset[int]:
        """The tokens that end an answer, given the model's EOS tokens."""
        return frozenset(self.stop_token_ids).union(() if self.ignore_eos else eos_ids)

    def check_vocabulary(self, size: int) -> None:
        """Refuse tokens that a vocabulary of ``size`` doesn't have."""
        biased = tuple(dict(self.logit_bias))
        for name, tokens in (("logit_bias", biased), ("stop_token_ids", self.stop_token_ids)):
            token = max(tokens, default=-1)
            if token >= size:
                raise OstroError(
                    f"{name}: token {token} is not in the vocabulary; give one below {size}"
                )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True)
class _Numbers:
    """The numbers that a field takes."""

    least: float
    most: float
    whole: bool = False
    open: bool = False
    """Whether the least itself is out of range."""
    optional: bool = False

    def read(self, name: str, value: Any) -> Any:
        """The value as Python's own int or float."""
        if value is None and self.optional:
            return None
        suits = isinstance(value, Integral if self.whole else Real)
        if isinstance(value, bool) or not suits:
            raise OstroError(f"{name} = {value!r} is of the wrong kind; give {self}")
        try:
            number = int(value) if self.whole else float(value)
        except OverflowError:  # A whole number beyond float64.
            number = math.inf
        if not self.least <= number <= self.most or (self.open and number == self.least):
            raise OstroError(f"{name} = {value!r} is out of range; give {self}")
        return number

    def __str__(self) -> str:
        start = "a whole number" if self.whole else "a number"
        low = f"above {self.least}" if self.open else f"of at least {self.least}"
        return f"{start} {low}" + ("" if self.most >= _MOST else f" and at most {self.most}")


_MOST = sys.float_info.max
_COUNT = _TOKEN = _Numbers(0, math.inf, whole=True)
_PENALTY = _Numbers(-2, 2)
_BIAS = _Numbers(-100, 100)
_LOGPROBS = _Numbers(0, MOST_LOGPROBS, whole=True, optional=True)
_NUMBERS = (
    ("max_tokens", _Numbers(1, math.inf, whole=True, optional=True)),
    ("temperature", _Numbers(0, _MOST)),
    ("top_p", _Numbers(0, 1, open=True)),
    ("top_k", _COUNT),
    ("min_p", _Numbers(0, 1)),
    ("repetition_penalty", _Numbers(0, _MOST, open=True)),
    ("presence_penalty", _PENALTY),
    ("frequency_penalty", _PENALTY),
    ("seed", _Numbers(0, (1 << 64) - 1, whole=True, optional=True)),
    ("min_tokens", _COUNT),
    ("n", _Numbers(1, math.inf, whole=True)),
    ("logprobs", _LOGPROBS),
    ("prompt_logprobs", _LOGPROBS),
)


def _read_bias(bias: object) -> tuple[tuple[object, object], ...]:
    try:
        items = dict(bias)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise OstroError(f"logit_bias = {bias!r} does not map tokens to numbers") from None
    pairs = [
        (_TOKEN.read("a token of logit_bias", token), _BIAS.read(f"logit_bias of {token!r}", value))
        for token, value in items.items()
    ]
    return tuple(sorted(pairs))


def _read_tokens(tokens: object) -> tuple[object, ...]:
    if not isinstance(tokens, tuple):
        raise OstroError(f"stop_token_ids = {tokens!r} is not a tuple of tokens")
    return tuple(_TOKEN.read("a token of stop_token_ids", token) for token in tokens)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
