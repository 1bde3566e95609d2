"""Whether an answer is right, and why not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Judgement:
    """What a rule says of an answer."""

    right: bool
    reason: str = ""
    """Why not; or a remark on an answer that is right."""
