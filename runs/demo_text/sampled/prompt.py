"""A question that the parent is to answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """A first question, and what comes around it."""

    text: str
    source: str
    """Where the question comes from."""
    system: str | None = None
    follow_up: str | None = None
    """A second question, asked whatever the first answer was."""
