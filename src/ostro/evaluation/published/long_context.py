"""Mixtral's two tests of long context: perplexity as the context grows, and the passkey."""

from collections.abc import Sequence
from dataclasses import dataclass

from ostro.evaluation.published.reference import Source

LONG_CONTEXT = Source(
    name="mixtral-benchmarks-6",
    text="Mixtral of Experts, Figure 4; the guide's mixtral-benchmarks-6, read off the charts",
    note=(
        "Base model. The perplexity is of a subset of proof-pile, by a code that is not published;"
        " the passkey's wording and trials per cell are not, either."
    ),
)


@dataclass(frozen=True)
class Point:
    """Perplexity with so many tokens of context."""

    tokens: int
    perplexity: float
    """Read off a chart: about 0.05 off at most, more on the steep part."""


@dataclass(frozen=True)
class PasskeyMap:
    """How often a passkey was found, by the text's length and the key's place in it."""

    lengths: Sequence[int]
    """Tokens, in steps of about 2,000."""
    accuracy: float
    """The same in every cell, wherever the key stood."""


def perplexity_curve() -> tuple[Point, ...]:
    """Mixtral 8x7B's, falling but for its flat end."""
    points = (
        (512, 3.7), (1024, 3.0), (1536, 2.75), (2048, 2.6), (2560, 2.3), (3584, 2.2), (5120, 2.1),
        (8192, 2.02), (10240, 1.99), (15360, 1.97), (20480, 1.94), (25600, 1.92), (30720, 1.90),
        (32768, 1.90),
    )  # fmt: skip
    return tuple(Point(tokens, perplexity) for tokens, perplexity in points)


def passkey_map() -> PasskeyMap:
    """Mixtral 8x7B's: found everywhere."""
    return PasskeyMap(lengths=tuple(range(2000, 32001, 2000)), accuracy=1.0)
