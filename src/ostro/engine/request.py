"""What is asked of the engine, and what it gives back, token by token."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ostro.engine.params import SamplingParams

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One prompt, to be answered ``params.n`` times."""

    prompt_ids: Sequence[int]
    params: SamplingParams = field(default_factory=SamplingParams)
    mid_text: bool = False
    """Whether an answer continues a text, so that a space in front of it stays."""
    use_cache: bool = True
    """Whether keys and values that are known from earlier requests may be taken."""

    @property
    def cacheable(self) -> bool:
        """Whether later requests may take this one's keys and values."""
        return True

    @property
    def namespace(self) -> Hashable:
        """What keys and values depend on beside the tokens."""
        return None


@dataclass(frozen=True)
class Piece:
    """What one token brought: whole characters, perhaps none yet."""

    text: str
    token_id: int | None
    """None in the last piece if it only releases text that was held back."""
    finish_reason: FinishReason | None = None
    choice: int = 0
    """Which of the request's answers this belongs to."""
