"""HTTP/1.1 with a limit on how long the head of a request may take."""

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ostro.server.http import BrokenStreamError


class TimedH11Protocol(H11Protocol):
    """Uvicorn's protocol. A client that sends the head too slowly is cut off.

    Uvicorn only limits the time between requests, so that a head that comes byte by byte would
    hold a connection for ever.
    """

    seconds = 10.0
    _clock: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = logging.getLogger("ostro.server.wire")
        self.logger.addFilter(_is_news)

    @classmethod
    def bound(cls, seconds: float) -> type["TimedH11Protocol"]:
        """The protocol with this limit."""
        return type("BoundH11Protocol", (cls,), {"seconds": seconds})

    def connection_made(self, transport: Any) -> None:
        """A client has come: the clock runs."""
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        """Bytes have come: the clock stops when they complete a head, and runs for the next."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_clock()
        elif self._clock is None:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_clock()
        super().connection_lost(exc)

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(self.seconds, self.transport.close)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it says something new: a broken stream is logged already, a hasty end is known."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, BrokenStreamError | asyncio.CancelledError)
