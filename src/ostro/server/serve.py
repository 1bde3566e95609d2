"""A server's life: ready when the model answers, draining when it is told to stop."""

import asyncio
import signal
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
from ostro.server.wire import TimedH11Protocol


class _Server(uvicorn.Server):
    """Uvicorn, with our own way to stop."""

    def __init__(self, config: uvicorn.Config, endpoints: Endpoints, seconds: float) -> None:
        super().__init__(config)
        self._endpoints, self._seconds = endpoints, seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains: what runs may finish. The second stops at once."""
        if self._endpoints.is_draining:
            self.force_exit = self.should_exit = True
            return
        self._endpoints.is_draining = True
        threading.Thread(target=self._drain, daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what still runs, so that its clients are told; then close all connections."""
        self._endpoints.is_draining = True
        if not self.force_exit:
            await self._endpoints.served.engine.aclose()
        await super().shutdown(sockets)

    def _drain(self) -> None:
        end = time.monotonic() + self._seconds
        while time.monotonic() < end and not self._endpoints.served.engine.is_idle:
            time.sleep(0.05)
        self.should_exit = True


class RunningServer:
    """A server in a thread of this process.

    ``endpoints`` answer its requests and have its engine; ``uvicorn`` takes signals.
    """

    def __init__(self, llm: LLM, options: ServeOptions) -> None:
        """Returns when it answers. The port must be free: an OstroError says so."""
        self._socket = listen(options)
        self.url = f"http://{options.host}:{self._socket.getsockname()[1]}"
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
    """Serve until a signal comes. ``sock`` is what :func:`listen` gave."""
    server, _ = _make(llm, options)
    server.run(sockets=[sock])


def listen(options: ServeOptions) -> socket.socket:
    """The socket of a server; an address that cannot be had is an OstroError."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        sock.close()
        raise OstroError(
            f"cannot listen on {options.host}:{options.port}: {error}; give another --port"
        ) from error
    return sock


def _make(llm: LLM, options: ServeOptions) -> tuple[_Server, Endpoints]:
    engine = Engine(llm, concurrency=options.concurrency, max_queue=options.max_queue)
    served = ServedModel(llm, engine, options, created=int(time.time()))
    app, endpoints = make_app(served)
    config = uvicorn.Config(
        app,
        http=TimedH11Protocol.bound(options.header_seconds),
        ws="none",
        lifespan="off",  # All there is to do at the end is done by shutdown.
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(options.drain_seconds) + 1,
        h11_max_incomplete_event_size=64 << 10,
    )
    return _Server(config, endpoints, options.drain_seconds), endpoints


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
