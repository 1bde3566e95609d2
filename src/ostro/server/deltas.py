"""Pieces of the engine into what clients see of each answer: text, calls, and what was asked."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ostro.engine.answer import Answer
from ostro.engine.engine import Engine, EngineBusyError, Stream
from ostro.engine.request import Piece
from ostro.server.errors import unavailable
from ostro.server.generation import Teller, usage
from ostro.server.responses import Call, FinishReason, Told, Usage
from ostro.text.call_reader import CallPiece, ToolCallReader
from ostro.text.stop_strings import StopStrings


@dataclass(frozen=True)
class Delta:
    """What is new in one answer."""

    choice: int
    text: str
    calls: tuple[Call, ...]
    finish_reason: FinishReason | None
    told: Told

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show yet."""
        return not (self.text or self.calls or self.finish_reason) and self.told == Told()


class Channel:
    """One answer's way to the client."""

    def __init__(
        self,
        choice: int,
        teller: Teller,
        *,
        prefix: str = "",
        reader: ToolCallReader | None = None,
        stop: Sequence[str] = (),
        is_shown: bool = True,
    ) -> None:
        """``prefix`` stands before the answer's own text, which a ``reader`` searches for calls.

        ``stop`` strings then end the text that is left; where there is no reader, the engine looks
        for them. What is not shown was asked for the sake of its prompt alone.
        """
        self._choice, self._teller = choice, teller
        self._prefix, self._reader, self._is_shown = prefix, reader, is_shown
        self._stops = StopStrings(stop)

    def feed(self, piece: Piece) -> Delta:
        """What a piece brings."""
        found = self._read(piece) if self._is_shown else CallPiece()
        text, self._prefix = self._prefix + found.content, ""
        told = self._teller.told([piece])
        if not self._is_shown:
            told = Told(prompt_logprobs=told.prompt_logprobs)
        calls = tuple(Call(call.name, call.arguments, call.id) for call in found.calls)
        return Delta(self._choice, text, calls, self._reason(piece), told)

    def _read(self, piece: Piece) -> CallPiece:
        if self._reader is None:
            return CallPiece(piece.text)
        found = self._reader.feed(piece.token_id, piece.text)
        shown, calls = self._stops.feed(found.content), found.calls
        if piece.finish_reason:
            shown += self._stops.feed(self._reader.finish().content) + self._stops.flush()
        return CallPiece(shown, calls)

    def _reason(self, piece: Piece) -> FinishReason | None:
        if self._stops.stopped:
            return "stop"
        if not self._is_shown:
            return "length"
        has_calls = self._reader is not None and self._reader.has_calls
        return "tool_calls" if piece.finish_reason == "stop" and has_calls else piece.finish_reason


@dataclass(frozen=True)
class Job:
    """Answers that were prepared for the engine, and the way of each to the client."""

    answers: list[Answer]
    channels: list[Channel]


class Run:
    """A job that runs. ``async for`` gives its deltas; leaving it ends what still runs."""

    def __init__(self, engine: Engine, job: Job) -> None:
        """Raises EngineBusyError where too many wait already."""
        self.stream: Stream = engine.enter(job.answers)
        self._channels = job.channels

    @property
    def usage(self) -> Usage:
        """Tokens so far."""
        return usage(self.stream)

    async def deltas(self) -> AsyncIterator[Delta]:
        """What is new, answer by answer; nothing comes after an answer's finish reason.

        Raises ApiError 503 if the engine is closed meanwhile.
        """
        async with self.stream:
            try:
                async for piece in self.stream:
                    delta = self._channels[piece.choice].feed(piece)
                    if delta.finish_reason is not None and piece.finish_reason is None:
                        self.stream.drop(piece.choice)
                    if not delta.is_empty:
                        yield delta
            except EngineBusyError:
                raise unavailable("the server is stopping", 5) from None

    async def gather(self) -> list[list[Delta]]:
        """All of it, sorted by answer."""
        gathered: list[list[Delta]] = [[] for _ in self._channels]
        async for delta in self.deltas():
            gathered[delta.choice].append(delta)
        return gathered


def merge_told(deltas: Sequence[Delta]) -> Told:
    """What all deltas of an answer told, together."""
    told = [delta.told for delta in deltas]
    return Told(
        logprobs=[entry for one in told for entry in one.logprobs or ()] or None,
        prompt_logprobs=next((one.prompt_logprobs for one in told if one.prompt_logprobs), None),
        routing=[entry for one in told for entry in one.routing or ()] or None,
        prompt_routing=next((one.prompt_routing for one in told if one.prompt_routing), None),
    )
