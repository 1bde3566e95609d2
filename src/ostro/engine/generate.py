"""From prompt tokens to text, piece by piece."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ostro.engine.params import SamplingParams
from ostro.engine.sampling import Sampler
from ostro.engine.session import Session
from ostro.errors import OstroError
from ostro.text.detokenise import Detokeniser
from ostro.text.stop_strings import StopStrings
from ostro.text.tokenizer import Tokenizer

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Piece:
    """What one token brought: whole characters, perhaps none yet."""

    text: str
    token_id: int | None
    """None in the last piece if it only releases text that was held back."""
    finish_reason: FinishReason | None = None


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


def generate(
    session: Session,
    tokenizer: Tokenizer,
    prompt_ids: Sequence[int],
    params: SamplingParams,
    timer: Timer,
    *,
    mid_text: bool = False,
) -> Iterator[Piece]:
    """Read the prompt and yield pieces until EOS, a stop string, or a limit.

    ``mid_text`` says that the answer continues a text, so that a space in front of it stays.

    The last piece carries the finish reason. Closing the iterator early leaves the session usable.
    """
    if len(prompt_ids) >= session.context:
        raise OstroError(
            f"the prompt has {len(prompt_ids)} tokens and the context holds {session.context}, "
            "which leaves no room for an answer; shorten it or give a larger --context"
        )
    if params.n != 1 or params.logprobs is not None or params.prompt_logprobs is not None:
        raise OstroError("one answer without probabilities is given; leave out n and logprobs")
    params.check_vocabulary(session.model.geometry.vocab_size)
    ends = params.ends(tokenizer.eos_ids)
    sampler = Sampler(params, session.model.kernels, prompt_length=len(prompt_ids), ends=ends)
    text = _Text(Detokeniser(tokenizer, mid_text=mid_text), params.stop)
    room = session.context - len(prompt_ids)
    limit = min(room, params.max_tokens or room)
    logits = session.read_prompt(prompt_ids)
    seen = list(prompt_ids)
    for count in range(1, limit + 1):
        token = sampler.sample(logits[0], seen)
        seen.append(token)
        timer.token()
        if token in ends:
            yield Piece(text.rest(), token, "stop")
            return
        new = text.add(token)
        if text.stopped:
            yield Piece(new, token, "stop")
            return
        if count == limit:
            yield Piece(new + text.rest(), token, "length")
            return
        yield Piece(new, token)
        logits = session.feed([token])


def complete(
    pieces: Iterator[Piece], timer: Timer, *, prompt_tokens: int, eos: Collection[int], model: str
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


class _Text:
    """Tokens into visible text: whole characters, cut at the first stop string."""

    def __init__(self, detokeniser: Detokeniser, stop: Sequence[str]) -> None:
        self._detokeniser, self._stops = detokeniser, StopStrings(stop)

    @property
    def stopped(self) -> bool:
        return self._stops.stopped

    def add(self, token: int) -> str:
        return self._stops.feed(self._detokeniser.feed(token))

    def rest(self) -> str:
        return self._stops.feed(self._detokeniser.flush()) + self._stops.flush()
