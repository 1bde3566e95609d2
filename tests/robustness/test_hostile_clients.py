"""Clients that send too much, too slowly or nonsense, that go away, or stay and do nothing."""

import contextlib
import json
import random
import socket
import subprocess
import sys
import time

import psutil
import pytest

from robustness.conftest import answer, settle, wait_for

MIB = 1 << 20
LONG = {"model": "tiny", "prompt": "a", "max_tokens": 1500, "ignore_eos": True}
CLIENT = """\
import json, socket, sys
body = sys.argv[2].encode()
head = b"POST /v1/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
made = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(6)]
for one in made:
    one.sendall(head + body)
print("asked", flush=True)
while True:
    made[0].recv(1)
"""


def pour(client, head: bytes, piece: bytes, most: int) -> int:
    """Send pieces without end, or until the server no longer listens; how many bytes it took."""
    sent = 0
    client.send(head)
    client.socket.settimeout(0.05)
    with contextlib.suppress(ConnectionError):
        while sent < most:
            with contextlib.suppress(TimeoutError):
                sent += client.socket.send(piece)
                continue
            break
    client.socket.settimeout(20)
    return sent


def seconds_of_dripping(client) -> float:
    """How long the server bears a byte now and then."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 10:
            client.send(b"G")
            time.sleep(0.05)
    return time.monotonic() - began


def resident() -> int:
    return psutil.Process().memory_info().rss


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/tokenize", "/nothing", "/health"])
def test_a_body_that_says_it_is_too_large_is_refused_unread(wire, path: str) -> None:
    client = wire()
    client.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {100 * MIB}\r\n\r\n".encode())
    status, _, body = client.response()
    expected = {"/nothing": 404, "/health": 405}.get(path, 413)
    assert status == expected
    assert body["object"] == "error"
    assert client.rest() == b""


def test_whose_body_was_not_read_is_told_to_come_anew(wire) -> None:
    """What the client sends next on the connection would be taken for the rest of the body."""
    client = wire()
    client.post("/nothing", {"a": 1})
    status, headers, _ = client.response()
    assert (status, headers["connection"]) == (404, "close")
    assert client.rest() == b""
    client = wire()
    for _ in range(2):
        client.post("/v1/completions", {"prompt": 1})
        status, headers, _ = client.response()
        assert (status, "connection" in headers) == (422, False)
        client.get("/nothing")
        status, headers, _ = client.response()
        assert (status, "connection" in headers) == (404, False)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/nothing"])
def test_a_body_that_goes_on_is_refused_and_not_kept(wire, path: str) -> None:
    """100 MB in chunks: what is over the limit is never in memory."""
    client = wire()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    before = resident()
    pour(client, head.encode(), b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 100 * MIB)
    status, _, _ = client.response()
    assert status == (404 if path == "/nothing" else 413)
    assert resident() - before < 40 * MIB


def test_a_client_that_goes_on_after_its_refusal_is_left(wire) -> None:
    """A byte now and then keeps no connection."""
    client = wire()
    client.send(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    assert client.response()[0] == 404
    assert seconds_of_dripping(client) < 5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"prompt": "\xff\xfe"}', "not UTF-8"),
        (b'{"prompt": "\\ud800"}', "surrogate"),
        (b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nests more"),
        (b"[" * 4_000_000, "nests more"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nests more"),
        (b'{"prompt": ' + b"9" * 100_000 + b"}", "too many digits"),
        (b'{"prompt": 1e999}', "double precision"),
        (b'{"prompt": "a", "prompt": "b"}', "twice"),
        (b"", "empty"),
        (b"\0", "not JSON"),
        (b'{"prompt": "a"}{"prompt": "b"}', "not JSON"),
    ],
    ids=[
        "utf-8",
        "surrogate",
        "deep",
        "deeper",
        "objects",
        "digits",
        "float",
        "twice",
        "",
        "0",
        "2",
    ],
)
def test_a_body_of_nonsense_is_a_400(wire, body: bytes, words: str) -> None:
    client = wire()
    client.post("/v1/completions", body)
    status, _, told = client.response()
    assert (status, told["code"]) == (400, "invalid_json")
    assert words in told["message"]
    client.get("/health")
    assert client.response()[0] == 200


def test_a_head_that_comes_byte_by_byte_is_cut_off(wire) -> None:
    clients = [wire() for _ in range(5)]
    assert sum(map(seconds_of_dripping, clients)) < 4


def test_a_second_head_is_timed_as_well(wire) -> None:
    client = wire()
    client.get("/health")
    assert client.response()[0] == 200
    assert seconds_of_dripping(client) < 4


def test_a_body_that_comes_byte_by_byte_is_a_408(wire) -> None:
    client = wire()
    client.send(b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(30):
        client.send(b" ")
        time.sleep(0.05)
    assert client.response()[0] == 408


def test_silent_connections_end_by_themselves(wire) -> None:
    clients = [wire() for _ in range(20)]
    for client in clients:
        assert client.rest() == b""


def test_there_are_only_so_many_connections(wire, server) -> None:
    clients = [wire() for _ in range(38)]
    connections = server.uvicorn.server_state.connections
    wait_for(lambda: len(connections) >= 38, "they do not come in")
    refused = 0
    for _ in range(60):
        extra = wire()
        extra.get("/health")
        status, headers, body = extra.response()
        if status == 503:
            refused += 1
            assert (body["object"], body["code"]) == ("error", "unavailable")
            assert headers["retry-after"] == "1"
            assert extra.rest() == b""
    assert refused > 50
    for client in clients:
        client.close()
    wait_for(lambda: len(connections) < 10, "they stay")


def test_whoever_closes_half_is_gone(wire, server) -> None:
    engine = server.endpoints.served.engine
    client = wire()
    client.post("/v1/completions", LONG | {"stream": True})
    wait_for(lambda: engine.core.scheduler.running, "it does not begin")
    client.socket.shutdown(socket.SHUT_WR)
    wait_for(lambda: engine.is_idle, "nobody reads it", 5)
    wire().socket.shutdown(socket.SHUT_WR)


def test_a_reader_that_stops_holds_nothing_up(wire, server, expected) -> None:
    """Its answer comes to its own end, others are answered meanwhile, and then it is left."""
    engine = server.endpoints.served.engine
    for one in server.uvicorn.servers[0].sockets:  # Connections inherit it.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    clients = [wire(receive_buffer=4096) for _ in range(2)]
    before = resident()
    for client in clients:
        body = LONG | {"stream": True, "logprobs": 20, "n": 4, "max_tokens": 300}
        client.post("/v1/completions", body)
        client.socket.recv(100)
    stopped = [one for one in server.uvicorn.server_state.connections if one.cycle is not None]
    slowest, paused = 0.0, set()
    while not engine.is_idle:
        paused.update(one for one in stopped if one.flow.write_paused)
        began = time.monotonic()
        assert answer(server) == expected
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 5
    assert len(paused) == 2
    core = engine.core
    assert core.pool.num_free + core.tree.num_pages == core.pool.size
    settle(server)  # The connections are gone although the clients are still there.
    assert resident() - before < 100 * MIB


def test_a_killed_client_leaves_nothing_behind(wire, server) -> None:
    engine = server.endpoints.served.engine
    port = server.url.rpartition(":")[2]
    for stream in (False, True):
        command = [sys.executable, "-S", "-c", CLIENT, port, json.dumps(LONG | {"stream": stream})]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            assert client.stdout.readline() == b"asked\n"
            wait_for(lambda: len(engine.core.scheduler.running) == 6, "they do not begin")
            client.kill()
        wait_for(lambda: engine.is_idle, "nobody reads them", 5)


@pytest.mark.parametrize("stream", [False, True])
def test_clients_may_go_at_any_moment(wire, server, stream: bool) -> None:
    chance = random.Random(stream)
    written = server.endpoints.served.engine.core.writer.tokens
    for _ in range(60):
        client = wire()
        body = LONG | {"stream": stream, "n": chance.choice([1, 1, 3]), "prompt": "a" * 40}
        client.post("/v1/completions", body)
        time.sleep(chance.choice([0, 0.001, 0.005, 0.02]))
        if chance.random() < 0.3:
            client.socket.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                client.socket.recv(chance.choice([1, 50, 500]))
        chance.choice([client.close, client.reset])()
    settle(server)
    assert server.endpoints.served.engine.core.writer.tokens - written < 60 * 1500 / 2
