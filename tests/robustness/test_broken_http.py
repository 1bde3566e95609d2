"""What is no HTTP, or is HTTP in the worst of faith."""

import contextlib
import json
import re

import pytest

from robustness.conftest import wait_for

GOOD = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
BROKEN = {
    "noise": bytes(range(256)) * 8,
    "zeros": b"\0" * 1000,
    "tls": bytes.fromhex("16030100c8010000c40303") + b"x" * 200,
    "no version": b"GET /health\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "blanks": b"GET  /health  HTTP/1.1\r\nHost: x\r\n\r\n",
    "path in letters of Greece": "GET /ωμέγα HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "header without a name": b"GET /health HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n",
    "header with a blank": b"GET /health HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
    "header with a zero": b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\0b\r\n\r\n",
    "header with a return": b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\rb\r\n\r\n",
    "a long head": b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 400_000,
    "a long path": b"GET /" + b"a" * 400_000,
    "length of a word": CHAT + b"Content-Length: ten\r\n\r\n",
    "length below zero": CHAT + b"Content-Length: -1\r\n\r\n",
    "length in hexadecimal": CHAT + b"Content-Length: 0x10\r\n\r\n",
    "length of 100 digits": CHAT + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n",
    "two lengths": CHAT + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "unknown coding": CHAT + b"Transfer-Encoding: gzip\r\n\r\n",
    "two codings": CHAT + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunk of a word": CHAT + b"Transfer-Encoding: chunked\r\n\r\nten\r\n{}\r\n0\r\n\r\n",
    "chunk below zero": CHAT + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "huge chunk": CHAT + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n{}",
    "chunk that goes on": CHAT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}}\r\n0\r\n\r\n",
    "endless size of a chunk": CHAT + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" * 200_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_http_is_told_so_in_json(wire, data: bytes) -> None:
    client = wire()
    with contextlib.suppress(ConnectionError):  # It may end before everything is sent.
        client.send(data)
    status, headers, body = client.response()
    assert status == 400
    assert (body["object"], body["code"]) == ("error", "invalid_http")
    assert headers["connection"] == "close"
    assert client.rest() == b""


def test_other_versions_are_answered_in_this_one(wire) -> None:
    for data, status in (
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET /health HTTP/3.0\r\nHost: x\r\n\r\n", 200),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
    ):
        client = wire()
        client.send(data)
        assert client.response()[0] == status


def test_broken_http_after_a_request_ends_the_connection(wire) -> None:
    client = wire()
    client.send(GOOD + b"\0\0\0\r\n\r\n")
    assert client.response()[0] == 200
    assert client.response()[0] == 400
    assert client.rest() == b""


@pytest.mark.parametrize("cut", [5, 30, 60, 120])
def test_a_request_may_end_anywhere(wire, cut: int) -> None:
    data = CHAT + b"Content-Length: 80\r\n\r\n" + b"x" * 80
    for reset in (False, True):
        client = wire()
        client.send(data[:cut])
        client.reset() if reset else client.close()


@pytest.mark.parametrize("size", ["", "Content-Length: 1\r\n"])
def test_coding_beats_length(wire, size: str) -> None:
    """As RFC 9112 has it; nothing of the body is taken for another request."""
    client = wire()
    body = b'{"prompt": "a"}'
    head = f"POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{size}\r\n"
    client.send(head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    status, _, told = client.response()
    assert (status, told["count"]) in [(200, 1), (200, 2)]
    client.get("/health")
    assert client.response()[0] == 200


def test_headers_are_not_injected(wire, caplog) -> None:
    """Neither into a response nor into the log."""
    client = wire()
    client.send(b"GET /x%0d%0aSet-Cookie:%20a=b%0aforged HTTP/1.1\r\nHost: x\r\n")
    client.send(b"X-Request-Id: mine\xe9\r\nOrigin: a\r\n\r\n")
    status, headers, _ = client.response()
    assert status == 404
    assert "set-cookie" not in headers
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    wait_for(lambda: "Set-Cookie" in caplog.text, "the log says nothing")
    (line,) = [line for line in caplog.messages if "Set-Cookie" in line]
    assert len(line.splitlines()) == 1


def test_many_headers_are_read_or_refused(wire) -> None:
    for count, statuses in ((1000, {200}), (10_000, {200, 400}), (200_000, {400})):
        client = wire()
        lines = b"".join(b"A%d: b\r\n" % number for number in range(count))
        try:
            client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n")
        except ConnectionError:
            assert count == 200_000
        assert client.response()[0] in statuses


def test_requests_may_come_one_behind_the_other(wire) -> None:
    client = wire()
    bodies = [{"prompt": "a" * count} for count in range(8)]
    data = b""
    for body in bodies:
        text = json.dumps(body).encode()
        data += b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(text)
        data += text + GOOD
    client.send(data)
    counts = []
    for _ in bodies:
        counts.append(client.response()[2]["count"])
        assert client.response()[2] == {"status": "ready"}
    assert [count - counts[0] for count in counts] == list(range(8))


def test_a_request_behind_a_stream_waits(wire) -> None:
    client = wire()
    ask = {"model": "tiny", "prompt": "a", "max_tokens": 40, "stream": True, "ignore_eos": True}
    client.post("/v1/completions", ask)
    client.send(GOOD * 3)
    events = client.response()[2].split(b"\n\n")
    assert events[-2] == b"data: [DONE]"
    assert [client.response()[2] for _ in range(3)] == [{"status": "ready"}] * 3


def test_another_protocol_is_not_spoken(wire, caplog) -> None:
    client = wire()
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    socket = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
    for headers in (upgrade, socket):
        client.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        assert client.response()[0] == 200
    client.send(b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.response()[0] in (400, 404, 405)
    assert "pip install" not in caplog.text


def test_a_body_is_asked_for_where_a_client_waits_to_be(wire) -> None:
    client = wire()
    head = b"POST /tokenize HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    client.send(head + b"Content-Length: 15\r\n\r\n")
    assert client.response()[0] == 100
    client.send(b'{"prompt": "a"}')
    assert client.response()[0] == 200
    client.send(head + b"Content-Length: 99999999\r\n\r\n")
    assert client.response()[0] == 413
