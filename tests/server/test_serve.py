"""A server's beginning and end."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from ostro.errors import OstroError
from ostro.server.serve import RunningServer, listen
from ostro.server.serve_options import ServeOptions
from server.conversation import ask, refused, whole


def test_a_port_that_is_taken_is_named(serve, speller) -> None:
    server, _ = serve(speller)
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(OstroError, match=f"cannot listen on 127.0.0.1:{port}.*another --port"):
        RunningServer(speller, ServeOptions(port=port))
    with pytest.raises(OstroError, match="cannot listen"):
        listen(ServeOptions(host="127.0.0.1", port=99999))


def test_others_are_let_in_with_keys_or_on_purpose() -> None:
    with pytest.raises(OstroError, match=r"--api-keys FILE .*or --insecure"):
        ServeOptions(host="0.0.0.0")
    for host in ("127.0.0.1", "127.1.2.3", "localhost", "::1"):
        assert ServeOptions(host=host).host == host
    assert ServeOptions(host="0.0.0.0", insecure=True).insecure
    assert ServeOptions(host="0.0.0.0", api_keys=Path("keys")).api_keys


def test_a_signal_lets_what_runs_finish_and_takes_nothing_new(serve, babbler) -> None:
    server, client = serve(babbler)
    engine = server.endpoints.served.engine
    with ThreadPoolExecutor(1) as pool, babbler.lock:  # While it is held, nothing is computed.
        answer = pool.submit(ask, client, max_tokens=50, ignore_eos=True)
        while engine.is_idle:
            time.sleep(0.005)
        server.uvicorn.handle_exit(signal.SIGTERM, None)
        refused(ask(client), 503)
        assert client.get("/health").status_code == 503
    assert whole(answer.result())["usage"]["completion_tokens"] == 50
    server.close()  # It stops by itself: this waits for it.
    with pytest.raises(httpx2.TransportError):
        client.get("/health/live")


def test_a_second_signal_does_not_wait(serve, babbler, caplog) -> None:
    server, client = serve(babbler)
    with ThreadPoolExecutor(1) as pool:
        with babbler.lock:
            answer = pool.submit(ask, client, max_tokens=2000, ignore_eos=True)
            while server.endpoints.served.engine.is_idle:
                time.sleep(0.005)
            server.uvicorn.handle_exit(signal.SIGTERM, None)
            server.uvicorn.handle_exit(signal.SIGTERM, None)
            server.close()
        assert answer.result().status_code == 500
    assert "Traceback" not in caplog.text


def test_small_pieces_are_sent_at_once(serve, speller) -> None:
    """The system would else hold a piece back until the client has confirmed the one before."""
    server, client = serve(speller)
    client.get("/health")  # The connection is kept.
    (connection,) = server.uvicorn.server_state.connections
    sock = connection.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
