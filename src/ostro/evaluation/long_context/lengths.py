"""The context lengths at which something is measured."""

from collections.abc import Sequence

from ostro.errors import OstroError
from ostro.evaluation.subject import Subject

SHORTEST = 512
"""Tokens, where nobody names lengths."""


def chosen_lengths(given: Sequence[int] | None, subject: Subject) -> tuple[int, ...]:
    """The lengths in tokens, ascending: those ``given``, or powers of two up to the context."""
    if given is not None:
        return tuple(sorted(set(given)))
    lengths, length = [], SHORTEST
    while length <= subject.context:
        lengths.append(length)
        length *= 2
    return tuple(lengths)


def require_lengths(given: Sequence[int] | None, subject: Subject, least: int) -> None:
    """Refuse lengths that the model cannot read, or that hold nothing to measure."""
    lengths = chosen_lengths(given, subject)
    if not lengths:
        raise OstroError(
            f"{subject.name} reads {subject.context} tokens and lengths begin with {SHORTEST}; "
            "name shorter ones"
        )
    if lengths[-1] > subject.context:
        raise OstroError(
            f"{subject.name} reads {subject.context} tokens, which a length of {lengths[-1]} "
            "exceeds; leave it out, or give a larger --context"
        )
    if lengths[0] < least:
        raise OstroError(f"a length of {lengths[0]} tokens is too short; give at least {least}")
