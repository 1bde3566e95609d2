"""A whole answer, gathered from its pieces, and how long it took."""

import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ostro.engine.logprobs import TokenLogprobs
from ostro.engine.request import FinishReason, Piece, PromptReport, TokenRouting


@dataclass
class Timer:
    """When the first and the last token of an answer came, in seconds from its start."""

    start: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0
    tokens: int = 0
    gaps: list[float] = field(default_factory=list)
    """Seconds between each token and the one before."""

    def token(self) -> None:
        """Note that a token has come."""
        now = time.perf_counter() - self.start
        if self.tokens:
            self.gaps.append(now - self.last)
        self.tokens += 1
        self.first, self.last = self.first or now, now

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
    logprobs: list[TokenLogprobs] | None = None
    """Of every generated token, EOS too, if they were asked for; so is all that follows."""
    routing: list[TokenRouting] | None = None
    """Of every generated token: the experts of the step that chose it."""
    prompt: PromptReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what was not asked for is left out."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        if self.logprobs is not None:
            values["logprobs"] = [asdict(logprobs) for logprobs in self.logprobs]
        if self.routing is not None:
            values["routing"] = [routing.to_dict() for routing in self.routing]
        if self.prompt is not None:
            values["prompt"] = self.prompt.to_dict()
        return values


def complete(
    pieces: Iterable[Piece], timer: Timer, *, prompt_tokens: int, eos: Collection[int], model: str
) -> Completion:
    """Gather an answer. The EOS token counts as generated but is not among ``token_ids``."""
    pieces = list(pieces)
    ids = [piece.token_id for piece in pieces]
    reasons = [piece.finish_reason for piece in pieces if piece.finish_reason]
    visible = ids[:-1] if ids and ids[-1] in eos else ids
    return Completion(
        text="".join(piece.text for piece in pieces),
        token_ids=visible,
        prompt_tokens=prompt_tokens,
        completion_tokens=len(ids),
        finish_reason=reasons[-1] if reasons else "length",
        seconds=timer.last,
        tokens_per_second=timer.tokens_per_second,
        model=model,
        logprobs=[p.logprobs for p in pieces if p.logprobs is not None] or None,
        routing=[p.routing for p in pieces if p.routing is not None] or None,
        prompt=next((p.prompt for p in pieces if p.prompt is not None), None),
    )
