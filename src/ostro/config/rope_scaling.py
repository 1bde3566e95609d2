"""Rope scaling: how rotary positions are stretched over more tokens than a model was trained on.

Only what stays the same for every length is here. A scheme that looks at the current length would
turn keys otherwise than those that are in the cache already.
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

from ostro.errors import OstroError

# Beyond these bounds a file is damaged, and arithmetic would overflow.
_SMALLEST, _LARGEST, _LONGEST = 1e-6, 1e6, 2**40


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """Slower turning pairs: all of them (``linear``), or the slow ones only (``yarn``).

    ``linear`` (position interpolation; Chen et al., 2023) divides every frequency by ``factor``.

    ``yarn`` (Peng et al., 2023) leaves pairs that turn ``beta_fast`` times or more in
    ``original_context`` tokens as they are, divides those that turn ``beta_slow`` times or less by
    ``factor``, and goes from one to the other along a straight line between them.
    """

    kind: Literal["linear", "yarn"]
    factor: float
    """How many times as many tokens."""
    original_context: int | None = None
    """For YaRN: tokens that the model was trained to read."""
    attention_factor: float | None = None
    """For YaRN: what cosines and sines are multiplied by. None: 0.1 ln(factor) + 1."""
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    """For YaRN: whether the line begins and ends at whole pairs."""

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "yarn"):
            raise OstroError(f"rope scaling: kind must be 'linear' or 'yarn', not {self.kind!r}")
        _check_factor(self.factor)
        if self.kind == "yarn":
            self._check_yarn()
            return
        for field in fields(self)[2:]:
            if getattr(self, field.name) != field.default:
                raise OstroError(f"rope scaling: 'linear' has a factor alone and no {field.name}")

    def _check_yarn(self) -> None:
        original = self.original_context
        if type(original) is not int or not 1 <= original <= _LONGEST:
            raise OstroError(
                "rope scaling: yarn needs original_context, a whole number of 1 or more, "
                f"not {original!r}"
            )
        for name in ("attention_factor", "beta_fast", "beta_slow"):
            value = getattr(self, name)
            if value is None and name == "attention_factor":
                continue
            if type(value) not in (int, float) or not _SMALLEST <= value <= _LARGEST:
                raise OstroError(
                    f"rope scaling: {name} must be a number from {_SMALLEST:g} to {_LARGEST:g}, "
                    f"not {value!r}"
                )
        if self.beta_fast < self.beta_slow:
            raise OstroError(
                f"rope scaling: beta_fast ({self.beta_fast}) must not be below beta_slow "
                f"({self.beta_slow})"
            )
        if type(self.truncate) is not bool:
            raise OstroError(f"rope scaling: truncate must be true or false, not {self.truncate!r}")

    @property
    def magnitude(self) -> float:
        """What cosines and sines are multiplied by."""
        if self.kind == "linear":
            return 1.0
        if self.attention_factor is not None:
            return self.attention_factor
        return yarn_magnitude(self.factor)


def yarn_magnitude(factor: float, weight: float = 1.0) -> float:
    """0.1 ``weight`` ln(``factor``) + 1: YaRN's rule for sharpening attention over long contexts.

    Scores are products of a query and a key, so that they grow by its square.
    """
    return 0.1 * weight * math.log(factor) + 1.0


def ntk_theta(theta: float, factor: float, head_dim: int) -> float:
    """The base of "NTK-aware" scaling with a fixed factor: theta * factor^(d / (d - 2)).

    The slowest pair then turns ``factor`` times slower, and the fastest as before. No layout has a
    name for it: such a model is one of another ``rope_theta``.
    """
    _check_factor(factor)
    if head_dim <= 2:
        raise OstroError(f"rope scaling: ntk needs heads wider than 2, not {head_dim}")
    return float(theta * factor ** (head_dim / (head_dim - 2)))


def _check_factor(factor: float) -> None:
    if type(factor) not in (int, float) or not 1 <= factor <= _LARGEST:
        raise OstroError(f"rope scaling: factor must be 1 to {_LARGEST:,.0f}, not {factor!r}")
