"""A whole answer, gathered from its pieces, and how long it took."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from ostro.engine.request import FinishReason, Piece


@dataclass
class Timer:
    """When the first and the last token of an answer came, in seconds from its start."""

    start: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0
    tokens: int = 0

    def token(self) -> None:
        """Note that a token has come."""
        self.last = time.perf_counter() - self.start
        self.first = self.first or self.last
        self.tokens += 1

    @property
    def tokens_per_second(self) -> float:
        """Decoding speed; the first token is left out, since its time is the prompt's."""
        if self.tokens < 2:
            return self.tokens / self.last if self.last else 0.0
        return (self.tokens - 1) / (self.last - self.first)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A whole answer."""

    text: str
    token_ids: list[int]
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    """``stop``: the model ended, or a stop string came; ``length``: a limit did."""
    seconds: float
    """From the request to the last token."""
    tokens_per_second: float
    """Decoding alone, without the time of the prompt."""
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dict(vars(self))


def complete(
    pieces: Iterable[Piece], timer: Timer, *, prompt_tokens: int, eos: Collection[int], model: str
) -> Completion:
    """Gather an answer. The EOS token counts as generated but is not among ``token_ids``."""
    texts: list[str] = []
    ids: list[int] = []
    reason: FinishReason = "length"
    for piece in pieces:
        texts.append(piece.text)
        if piece.token_id is not None:
            ids.append(piece.token_id)
        reason = piece.finish_reason or reason
    visible = ids[:-1] if ids and ids[-1] in eos else ids
    return Completion(
        text="".join(texts),
        token_ids=visible,
        prompt_tokens=prompt_tokens,
        completion_tokens=len(ids),
        finish_reason=reason,
        seconds=timer.last,
        tokens_per_second=timer.tokens_per_second,
        model=model,
    )
