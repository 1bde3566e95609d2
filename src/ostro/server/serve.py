"""A server's life: ready when the model answers, draining when it is told to stop."""

import asyncio
import logging
import os
import socket
import threading
import time
from types import FrameType, TracebackType
from typing import Self

import uvicorn

from ostro.engine.engine import Engine
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.server.app import Endpoints, make_app
from ostro.server.serve_options import ServeOptions
from ostro.server.served_model import ServedModel
from ostro.server.wire import Protocol, WireLimits

# Connections that wait to be taken; all of them are, at once, each with a file descriptor.
_BACKLOG = 128
# Longer than clients keep a connection that they may use again: they should be the ones to end it.
_KEEP_ALIVE_SECONDS = 30
# After the engine has ended all answers; only a client that takes nothing needs as long.
_LAST_SECONDS = 2
_STOPPING = "stopping: %d requests may go on for %g seconds; another signal stops at once"

logger = logging.getLogger("ostro.server")


class _Server(uvicorn.Server):
    """Uvicorn, with our own way to stop."""

    def __init__(self, config: uvicorn.Config, endpoints: Endpoints, seconds: float) -> None:
        super().__init__(config)
        self._endpoints, self._seconds = endpoints, seconds
        self._deadline: float | None = None
        self._has_told = False
        self.owns_process = False
        """Whether there is nothing else in this process that must come to an end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains: what runs may finish. The second stops at once."""
        if not self._endpoints.is_draining:
            self._deadline = time.monotonic() + self._seconds
            self._endpoints.is_draining = True
        elif self.owns_process:
            # The engine's thread may be amid a long step, for which every other way would wait.
            os._exit(128 + sig)
        else:
            self.force_exit = self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop: uvicorn asks ten times a second."""
        is_over = await super().on_tick(counter)
        if self._deadline is None:
            return is_over
        if not self._has_told:
            self._has_told = True
            logger.info(_STOPPING, len(self.server_state.tasks), self._seconds)
        return is_over or not self.server_state.tasks or time.monotonic() > self._deadline

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what still runs, so that its clients are told; then close all connections."""
        self._endpoints.is_draining = True
        if not self.force_exit:
            await self._endpoints.served.engine.aclose()
        await super().shutdown(sockets)


class RunningServer:
    """A server in a thread of this process.

    ``endpoints`` answer its requests and have its engine; ``uvicorn`` takes signals.
    """

    def __init__(self, llm: LLM, options: ServeOptions) -> None:
        """Returns when it answers. The port must be free: an OstroError says so."""
        self._socket = listen(options)
        _open(self._socket, options)
        self.url = url_of(self._socket, options)
        self.uvicorn, self.endpoints = _make(llm, options)
        self._thread = threading.Thread(target=self._run, name="ostro-server", daemon=True)
        self._thread.start()
        while not self.uvicorn.started and self._thread.is_alive():
            time.sleep(0.005)
        if not self.uvicorn.started:
            raise OstroError("the server did not start; its log says why")

    def close(self) -> None:
        """Stop; what still runs is ended."""
        self.uvicorn.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.run(self.uvicorn.serve(sockets=[self._socket]))


def serve(llm: LLM, options: ServeOptions, sock: socket.socket) -> None:
    """Serve until a signal comes. ``sock`` is what :func:`listen` gave.

    A second signal ends the process at once, with 128 and the signal's number as its exit code.
    """
    _open(sock, options)
    server, _ = _make(llm, options)
    server.owns_process = True
    server.run(sockets=[sock])


def listen(options: ServeOptions) -> socket.socket:
    """The socket of a server; an address that cannot be had is an OstroError.

    Nobody can connect before the server is there. A mistake in the file of keys is told as well.
    """
    _ = options.keys
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # With the protocol named, asyncio sends what is written at once, however little it is.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        raise _taken(sock, options, error) from error
    return sock


def url_of(sock: socket.socket, options: ServeOptions) -> str:
    """Where clients find the server."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{sock.getsockname()[1]}"


def _open(sock: socket.socket, options: ServeOptions) -> None:
    """Take connections. Of two that have the address, as a pause allows, only one may do so."""
    try:
        sock.listen(_BACKLOG)
    except OSError as error:
        raise _taken(sock, options, error) from error


def _taken(sock: socket.socket, options: ServeOptions, error: Exception) -> OstroError:
    sock.close()
    return OstroError(
        f"cannot listen on {options.host}:{options.port}: {error}; give another --port"
    )


def _make(llm: LLM, options: ServeOptions) -> tuple[_Server, Endpoints]:
    engine = Engine(llm, concurrency=options.concurrency, max_queue=options.max_queue)
    served = ServedModel(llm, engine, options, created=int(time.time()))
    app, endpoints = make_app(served)
    limits = WireLimits(
        head=options.header_seconds,
        stall=options.stall_seconds,
        connections=options.connections,
    )
    config = uvicorn.Config(
        app,
        http=Protocol.within(limits),
        ws="none",
        lifespan="off",  # All there is to do at the end is done by shutdown.
        log_config=None,
        log_level="warning",  # Of uvicorn's own words.
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
        h11_max_incomplete_event_size=64 << 10,
    )
    return _Server(config, endpoints, options.drain_seconds), endpoints
