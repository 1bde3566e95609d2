"""Before and after every request: its id, its key, its limits, one line in the log."""

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostro.errors import OstroError
from ostro.server.api_keys import ApiKeys
from ostro.server.errors import ApiError, unavailable
from ostro.server.http import BrokenStreamError, error_to_response
from ostro.server.identifiers import request_id
from ostro.server.metrics import Metrics
from ostro.server.rate_limit import RateLimit

_OPEN = ("/health", "/health/live", "/health/ready", "/version", "/docs", "/openapi.json")
"""Paths that need no key: they tell nothing of requests."""

logger = logging.getLogger("ostro.server")


class Gate:
    """ASGI middleware around the whole server."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: ApiKeys | None,
        rate: RateLimit | None,
        metrics: Callable[[], Metrics],
        is_draining: Callable[[], bool],
    ) -> None:
        self._app, self._keys, self._rate = app, keys, rate
        self._metrics, self._is_draining = metrics, is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it with an error."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        number = request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = number
        status = 0

        is_read = not _has_body(Headers(scope=scope))

        async def receive_on() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body", False)
            return message

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = number
                if not is_read:  # What follows on this connection would be the rest of the body.
                    headers["connection"] = "close"
                self._metrics().response(_path(scope), status)
            await send(message)

        try:
            await self._serve(scope, receive_on, send_on)
        except BrokenStreamError as error:
            _tell_broken(number, error.__cause__)
            raise
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logger.exception("%s failed", number)
            if status:
                raise BrokenStreamError from error
            await error_to_response(error)(scope, receive_on, send_on)
        finally:
            self._note(scope, number, status, time.perf_counter() - began)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
        except ApiError as error:
            await error_to_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        path = scope["path"]
        if path in _OPEN or path.startswith("/docs/"):
            return
        name = "anybody"
        if self._keys is not None:
            name = self._keys.check(Headers(scope=scope).get("authorization"))
        if scope["method"] != "POST":
            return
        if self._is_draining():
            raise unavailable("the server is stopping", 5)
        if self._rate is not None:
            self._rate.check(name)

    def _note(self, scope: Scope, number: str, status: int, seconds: float) -> None:
        if not status:  # The client went away before anything was said.
            self._metrics().response(_path(scope), status)
        logger.info(
            "%s %s %s %s %.0f ms",
            number,
            scope["method"][:20],
            # As it came: a path that is decoded may hold the end of a line, and forge another.
            scope["raw_path"][:200].decode("ascii", "backslashreplace"),
            status or "gone",
            1000 * seconds,
        )


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _path(scope: Scope) -> str:
    """The server's own path, never a client's."""
    return getattr(scope.get("route"), "path", "other")


def _tell_broken(number: str, cause: BaseException | None) -> None:
    """One line for what is nobody's fault; where to look for what is ours."""
    is_known = isinstance(cause, OstroError)
    trace = None if is_known else cause
    logger.warning("%s the stream broke off: %s", number, cause, exc_info=trace)
