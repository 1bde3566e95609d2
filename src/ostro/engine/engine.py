"""The engine in a thread of its own: requests from any event loop, answers as async iterators."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from ostro.engine.answer import Answer
from ostro.engine.completion import Completion
from ostro.engine.llm import LLM, Messages
from ostro.engine.request import Piece, Request
from ostro.engine.scheduler import StepBudget
from ostro.errors import OstroError


class EngineBusyError(OstroError):
    """Too many requests wait already."""


class EngineClosedError(EngineBusyError):
    """The engine was closed, or is just being."""


class _Closing(ABC):
    """What ``async with`` closes at its end."""

    @abstractmethod
    async def aclose(self) -> None:
        """End it, and all that belongs to it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Stream(_Closing):
    """The pieces of a request's answers as they come, those of all its choices in turn.

    Leaving it early (``aclose``, ``async with``, a cancelled task) ends the request, and its pages
    are free before the engine's next step.
    """

    def __init__(self, answers: list[Answer], cancel: Callable[[list[Answer]], None]) -> None:
        self.answers = answers
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Piece | Exception] = deque()
        self._open = {answer.choice for answer in answers}
        """Answers of which something may yet come."""
        self._wake = asyncio.Event()
        self._cancel = cancel

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        while self._open:
            while self._arrived:
                piece = self._arrived.popleft()
                if isinstance(piece, Exception):
                    await self.aclose()
                    raise piece
                if piece.choice in self._open:
                    if piece.finish_reason:
                        self._open.discard(piece.choice)
                    return piece
            await self._next()
        raise StopAsyncIteration

    @property
    def is_open(self) -> bool:
        """Whether something may yet come."""
        return bool(self._open)

    async def _next(self) -> None:
        """Wait until something has arrived."""
        self._wake.clear()
        try:
            await self._wake.wait()
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def wait(self, seconds: float) -> bool:
        """Whether a piece, or the end, comes within so many seconds."""
        if self._arrived or not self._open:
            return True
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def drop(self, choice: int) -> None:
        """End one of the answers; none of its pieces comes any more."""
        self._open.discard(choice)
        self._cancel([answer for answer in self.answers if answer.choice == choice])

    async def aclose(self) -> None:
        """End the request; no further piece comes."""
        if self._open:
            self._open.clear()
            self._cancel(self.answers)

    # ---- called by the engine's thread ----

    def deliver(self) -> None:
        """Take over what the answers have; :meth:`notify` has to follow in the event loop."""
        for answer in self.answers:
            self._arrived.extend(answer.take())
            if answer.error is not None:
                self._arrived.append(answer.error)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where the reader runs."""
        return self._loop

    def notify(self) -> None:
        """Wake the reader; runs in its event loop."""
        self._wake.set()


class Engine(_Closing):
    """Serves a model to many at once. ``async with Engine(llm) as engine: ...``."""

    def __init__(
        self,
        llm: LLM,
        *,
        concurrency: int = 32,
        max_queue: int | None = None,
    ) -> None:
        """``concurrency`` answers are computed at once, and ``max_queue`` requests may wait.

        By default any number may. Pages are as many as :func:`ostro.load` planned.
        """
        self.llm, self.max_queue = llm, max_queue
        self.core = llm.new_core(StepBudget(answers=concurrency))
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._streams: dict[Answer, Stream] = {}
        self._entrance = threading.Lock()
        self._entering: dict[Stream, None] = {}
        """Streams that the engine's thread knows nothing of yet."""
        self._is_closing = self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="ostro-engine", daemon=True)
        self._thread.start()

    @property
    def queue_length(self) -> int:
        """Requests that wait for a place."""
        entering = sum(stream.is_open for stream in list(self._entering))
        return len(self.core.scheduler.waiting) + entering

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._entering and not self._streams

    def submit(self, prompt: str | Messages | Request, **options: Any) -> Stream:
        """Ask for answers: a text to continue, messages, or a whole request.

        ``options`` are those of :meth:`LLM.request`. What can't be served is refused here, as an
        :class:`~ostro.errors.OstroError`.
        """
        request = prompt if isinstance(prompt, Request) else self.llm.request(prompt, **options)
        return self.enter(self.core.prepare(request))

    async def complete(self, prompt: str | Messages | Request, **options: Any) -> list[Completion]:
        """Like :meth:`submit`, for whole answers, one for each choice."""
        stream = self.submit(prompt, **options)
        pieces = [piece async for piece in stream]
        return [self.llm.gather(answer, pieces) for answer in stream.answers]

    def enter(self, answers: list[Answer]) -> Stream:
        """Begin answers that :meth:`EngineCore.prepare` made, perhaps in another thread."""
        with self._entrance:  # What comes in before the end is ended by it.
            self._check_entrance()
            stream = Stream(answers, self._cancel)
            self._entering[stream] = None
            self._commands.put(lambda: self._begin(stream))
        return stream

    def close(self) -> None:
        """Let the thread end what runs, and itself; any thread may say so, and nobody waits."""
        with self._entrance:
            if not self._is_closing:
                self._is_closing = True
                self._commands.put(self._end_all)

    async def aclose(self) -> None:
        """End what runs and stop the thread."""
        self.close()
        await asyncio.to_thread(self._thread.join)

    def _check_entrance(self) -> None:
        if self._is_closing:
            raise EngineClosedError("the engine is closing")
        scheduler = self.core.scheduler
        free = max(0, scheduler.budget.answers - len(scheduler.running))
        most = self.max_queue
        # What comes first to an idle engine waits for nobody, although it is not begun yet.
        if most is not None and self.queue_length >= most + free:
            raise EngineBusyError(
                f"every place is taken, and {most} requests wait already; try again later"
            )

    # ---- the engine's thread ----

    def _work(self) -> None:
        while not self._is_closed:
            try:
                self._turn()
            except Exception as error:
                self._fail_all(error)

    def _turn(self) -> None:
        if self.core.is_idle:
            self._commands.get()()
        while not self._commands.empty():
            self._commands.get()()
        self._deliver(self.core.step())

    def _begin(self, stream: Stream) -> None:
        if stream.is_open:
            self._streams |= dict.fromkeys(stream.answers, stream)
            self.core.enter(stream.answers)
        del self._entering[stream]

    def _cancel(self, answers: list[Answer]) -> None:
        self._commands.put(lambda: self._end(answers))

    def _end(self, answers: list[Answer]) -> None:
        for answer in answers:
            self._streams.pop(answer, None)
        self.core.cancel(answers)

    def _end_all(self) -> None:
        self._is_closed = True
        answers = [*self._streams]
        for answer in answers:
            answer.error = EngineClosedError("the engine is closing")
        self.core.cancel(answers)
        self._deliver(answers)

    def _fail_all(self, error: Exception) -> None:
        """After a failure that nobody foresaw the books may be wrong, and new ones are begun."""
        self.core.reset()
        answers = [*self._streams]
        for answer in answers:
            answer.error, answer.is_finished = error, True
        self._deliver(answers)

    def _deliver(self, touched: Iterable[Answer]) -> None:
        """Pass the pieces on, and wake each event loop once."""
        loops: dict[asyncio.AbstractEventLoop, dict[Stream, None]] = {}
        for answer in touched:
            stream = self._streams.get(answer)
            if stream is None:
                continue
            if answer.is_finished:
                del self._streams[answer]
            loops.setdefault(stream.loop, {})[stream] = None
        for loop, streams in loops.items():
            for stream in streams:
                stream.deliver()
            with suppress(RuntimeError):  # The loop was closed, and nobody reads any more.
                loop.call_soon_threadsafe(_notify, tuple(streams))


def _notify(streams: Iterable[Stream]) -> None:
    for stream in streams:
        stream.notify()
