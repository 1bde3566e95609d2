"""HTTP/1.1 under clients that are slow, broken, or too many.

Uvicorn limits the time between requests, and not much else. Here a connection also ends where the
head of a request takes too long, and where the client does not take what it is sent; what is no
HTTP is told so in the server's own form; and there are only so many connections.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from ostro.server.errors import ApiError, error_response, unavailable
from ostro.server.http import BrokenStreamError

logger = logging.getLogger("ostro.server.wire")


@dataclass(frozen=True, kw_only=True)
class WireLimits:
    """What one client may keep busy, in seconds, and how many there may be."""

    head: float = 10.0
    """From the first byte of a connection or of a request's head to the head's last."""
    stall: float = 60.0
    """How long a client may take nothing of what it is sent."""
    linger: float = 2.0
    """How long a client may go on talking after its request was answered unread."""
    connections: int = 512


class Protocol(H11Protocol):
    """One connection. The class is made by :meth:`within`, for uvicorn to make connections of."""

    limits = WireLimits()
    is_lingering = False
    """Whether all was said, and the client may go on for a while."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = logger
        logger.addFilter(_is_news)
        self._head, self._stall = _Clock(self.loop), _Clock(self.loop)

    @classmethod
    def within(cls, limits: WireLimits) -> type["Protocol"]:
        """The protocol with these limits."""
        return type("BoundProtocol", (cls,), {"limits": limits})

    def connection_made(self, transport: Any) -> None:
        """A client has come: the clock runs."""
        # Whatever the system does not take at once waits here, where it is noticed.
        transport.set_write_buffer_limits(0)
        super().connection_made(_Transport(transport, self))  # type: ignore[arg-type]
        if len(self.connections) > self.limits.connections:
            self._refuse(unavailable("too many connections; try again later", 1))
            transport.close()
        else:
            self._head.start(self.limits.head, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: the clock stops when they complete a head, and runs for the next."""
        if self.is_lingering:
            return
        super().data_received(data)
        if self.is_lingering or self.conn.their_state is not h11.IDLE:
            self._head.stop()
        elif not self._head.is_running:
            self._head.start(self.limits.head, self.transport.abort)

    def pause_writing(self) -> None:
        """The client does not take what it is sent: another clock runs."""
        super().pause_writing()
        self._stall.start(self.limits.stall, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken everything."""
        super().resume_writing()
        self._stall.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._head.stop()
        self._stall.stop()

    def shutdown(self) -> None:
        """The server stops: an idle connection ends now, another after its response."""
        if self.is_lingering:
            self.transport.abort()
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        """A response was sent; if the request was not read to its end, no other can follow."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(ApiError(400, "this is no HTTP/1.1 request", code="invalid_http"))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: a client that offers another protocol is answered in this one."""

    def _refuse(self, error: ApiError) -> None:
        """Answer without a request, unless a response has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            told = error_response(error)
            body = json.dumps(told.body).encode()
            headers = {
                **told.headers,
                "content-type": "application/json",
                "content-length": str(len(body)),
                "connection": "close",
            }
            reason = STATUS_PHRASES[told.status]
            start = h11.Response(status_code=told.status, headers=[*headers.items()], reason=reason)
            for event in (start, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def close_gently(self, transport: asyncio.Transport) -> None:
        """Close the connection, but not before the client has read what it was told.

        A client that is still sending would get a reset that overtakes the response. So it is told
        that nothing more comes, and what it sends is thrown away for a while.
        """
        if self.is_lingering:
            return
        if self.conn.their_state not in (h11.SEND_BODY, h11.ERROR):
            transport.close()
            return
        self.is_lingering = True
        self._unset_keepalive_if_required()
        if transport.can_write_eof():
            transport.write_eof()
        self.flow.resume_reading()
        self._head.start(self.limits.linger, transport.abort)


class _Clock:
    """Something that is done unless it is stopped in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float, action: Callable[[], None]) -> None:
        self.stop()
        self._handle = self._loop.call_later(seconds, action)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class _Transport:
    """A transport that is closed in its protocol's way, whoever closes it."""

    def __init__(self, transport: asyncio.Transport, protocol: Protocol) -> None:
        self._transport, self._protocol = transport, protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        self._protocol.close_gently(self._transport)

    def is_closing(self) -> bool:
        return self._protocol.is_lingering or self._transport.is_closing()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it says something new: a broken stream is logged already, a hasty end is known."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, BrokenStreamError | asyncio.CancelledError)
