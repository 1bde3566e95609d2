"""Requests and responses on the wire: bodies with bounds, events, and clients that go away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ostro.server.errors import ApiError, error_response
from ostro.server.limits import Limits
from ostro.server.request_json import check_size, read_json
from ostro.server.stream_events import CONTENT_TYPE, DONE, HEARTBEAT, error_event

_LARGE = 64 << 10
"""Bodies above this are read in another thread, so that others need not wait."""


class ClientGoneError(Exception):
    """The client has closed the connection; nobody waits for the response."""


async def json_body(request: Request, limits: Limits, seconds: float) -> Any:
    """The body's plain values.

    Raises :class:`ApiError` as :func:`read_json` does, 408 if the body takes more than ``seconds``,
    and :class:`ClientGoneError`.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal():
        check_size(int(length), limits)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                body += part
                check_size(len(body), limits)
    except TimeoutError:
        message = f"the body did not come within {seconds:g} seconds"
        raise ApiError(408, message, code="timeout") from None
    except ClientDisconnect:
        raise ClientGoneError from None
    if len(body) > _LARGE:
        return await asyncio.to_thread(read_json, bytes(body), limits)
    return read_json(bytes(body), limits)


def error_to_response(error: BaseException) -> Response:
    """The response to an error."""
    told = error_response(error)
    return JSONResponse(told.body, told.status, told.headers)


async def unless_gone(request: Request, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of ``work``; if the client goes away first, it is cancelled and that is raised."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request.receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventResponse(Response):
    """A stream of events, and a last one that says that these were all.

    While nothing comes, a comment shows that the connection lives. A failure in the midst becomes
    an error event, after which the connection is broken off, so that no client takes what came for
    the whole. When the client goes away, ``events`` is closed. ``end`` is called after the events
    and before their end is told, whatever happened: events that nobody began to read would not
    notice.
    """

    def __init__(
        self,
        events: AsyncIterator[bytes],
        headers: Mapping[str, str],
        heartbeat: float,
        end: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(headers={**headers, "cache-control": "no-cache"}, media_type=CONTENT_TYPE)
        del self.headers["content-length"]
        self._events, self._heartbeat, self._at_end = events, heartbeat, end
        self._is_quiet, self._is_ended = True, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, as ASGI wants it."""
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for one in (sending, gone):
                one.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            await self._end()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        beating = asyncio.ensure_future(self._beat(send))
        try:
            async for event in self._events:
                self._is_quiet = False
                await send({"type": "http.response.body", "body": event, "more_body": True})
        except Exception as error:
            event = error_event(error)
            await send({"type": "http.response.body", "body": event, "more_body": True})
            raise BrokenStreamError from error
        finally:
            beating.cancel()
            await self._events.aclose()  # type: ignore[attr-defined]
        await self._end()
        await send({"type": "http.response.body", "body": DONE, "more_body": False})

    async def _end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            await self._at_end()

    async def _beat(self, send: Send) -> None:
        while True:
            self._is_quiet = True
            await asyncio.sleep(self._heartbeat)
            if self._is_quiet:
                await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})


class BrokenStreamError(Exception):
    """A stream could not be finished; its connection must not end as if it were."""
