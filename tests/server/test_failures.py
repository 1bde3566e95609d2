"""What goes wrong reaches the client whose request it was, and nobody else."""

import json
import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from ostro.errors import OstroError
from server.conversation import HELLO, MODEL, ask, ask_text, choice, refused, text_of
from tiny_chat import ANSWER, text_ids

LONG = {"max_tokens": 2000, "ignore_eos": True}


def held_pages(server) -> int:
    """Pages that somebody else than the prefix tree holds."""
    core = server.endpoints.served.engine.core
    return core.pool.size - core.pool.num_free - core.tree.num_pages


def wait_for(condition: Callable[[], object]) -> None:
    """Until it holds, for a few seconds at most."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


def wait_until_idle(server) -> None:
    engine = server.endpoints.served.engine
    wait_for(lambda: engine.core.is_idle and engine.is_idle)


def break_writing(server, monkeypatch, error: Exception, *, after: int, prompt: str = "") -> None:
    """Answers to prompts that hold ``prompt`` fail when they have so many tokens."""
    writer = server.endpoints.served.engine.core.writer
    write, wanted = writer.write, bytes(text_ids(prompt))

    def fail(answer, row):
        held = bytes(token for token in answer.request.prompt_ids if token < 256)
        if wanted in held and answer.generated >= after:
            raise error
        return write(answer, row)

    monkeypatch.setattr(writer, "write", fail)


def broken_stream(client, **fields) -> list[str]:
    """The events of a chat that is broken off."""
    lines: list[str] = []
    body = {"model": MODEL, "messages": HELLO, "stream": True, **fields}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200
        with pytest.raises(httpx2.RemoteProtocolError):
            lines.extend(line for line in response.iter_lines() if line)
    return lines


def test_a_failure_before_the_first_token_is_an_error(serve, speller, monkeypatch, caplog) -> None:
    server, client = serve(speller)
    break_writing(server, monkeypatch, RuntimeError("/secret"), after=0)
    body = refused(ask(client), 500)
    assert (body["type"], body["code"]) == ("server_error", "internal_error")
    assert "secret" not in body["message"]
    assert "RuntimeError: /secret" in caplog.text
    wait_until_idle(server)
    assert held_pages(server) == 0


def test_a_stream_that_fails_says_so_and_is_broken_off(serve, speller, monkeypatch, caplog) -> None:
    server, client = serve(speller)
    break_writing(server, monkeypatch, RuntimeError("/secret"), after=3)
    lines = broken_stream(client)
    values = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert "".join(one["choices"][0]["delta"]["content"] for one in values[:-1]) == "abc"
    assert values[-1]["object"] == "error"
    assert values[-1]["error"]["code"] == "internal_error"
    assert "secret" not in lines[-1]
    wait_until_idle(server)
    assert held_pages(server) == 0
    # The log has the cause, once.
    assert [record.name for record in caplog.records] == ["ostro.server"]
    assert "the stream broke off" in caplog.text
    assert caplog.text.count("RuntimeError: /secret") == 1


def test_what_a_user_can_mend_is_no_traceback(serve, speller, monkeypatch, caplog) -> None:
    server, client = serve(speller)
    break_writing(server, monkeypatch, OstroError("no expert is left; allow more"), after=2)
    lines = broken_stream(client)
    assert "no expert is left; allow more" in lines[-1]
    assert '"invalid_request_error"' in lines[-1]
    assert "Traceback" not in caplog.text
    assert "no expert is left" in refused(ask(client), 400)["message"]


def test_others_do_not_notice_a_failure(serve, babbler, monkeypatch) -> None:
    server, client = serve(babbler)
    options = {"max_tokens": 30, "ignore_eos": True}
    expected = text_of(ask(client, **options))
    break_writing(server, monkeypatch, RuntimeError(), after=5, prompt="break")
    bad = [{"role": "user", "content": "break"}]
    with ThreadPoolExecutor(8) as pool:
        good = [pool.submit(ask, client, **options) for _ in range(4)]
        failing = [pool.submit(ask, client, messages=bad, **options) for _ in range(4)]
    assert [text_of(one.result()) for one in good] == [expected] * 4
    for one in failing:
        refused(one.result(), 500)


def test_a_failed_choice_fails_the_whole_call(serve, babbler, monkeypatch) -> None:
    server, client = serve(babbler)
    break_writing(server, monkeypatch, RuntimeError(), after=2, prompt="break")
    refused(ask_text(client, prompt=["good", "break"], **LONG), 500)
    wait_until_idle(server)
    assert held_pages(server) == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_the_pages(serve, babbler, caplog, stream: bool) -> None:
    caplog.set_level(logging.INFO)
    server, client = serve(babbler)
    core = server.endpoints.served.engine.core
    body = json.dumps({"model": MODEL, "messages": HELLO, "stream": stream, "n": 3, **LONG})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall((head + body).encode())
        wait_for(lambda: len(core.scheduler.running) == 3)
        if stream:
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
    wait_until_idle(server)
    assert held_pages(server) == 0
    assert core.writer.tokens < 3 * LONG["max_tokens"]
    assert ask(client, max_tokens=1).status_code == 200
    assert "Traceback" not in caplog.text


def test_a_full_queue_is_a_429_that_says_when(serve, babbler) -> None:
    server, client = serve(babbler, concurrency=1, max_queue=1)
    engine = server.endpoints.served.engine
    running = engine.core.scheduler.running
    with ThreadPoolExecutor(2) as pool, babbler.lock:  # While it is held, nothing is computed.
        waiting = [pool.submit(ask, client, max_tokens=1)]
        wait_for(lambda: running)
        waiting.append(pool.submit(ask, client, max_tokens=1))
        wait_for(lambda: engine.queue_length)
        refusals = [ask(client, stream=stream) for stream in (False, True)]
    for response in refusals:
        assert refused(response, 429)["type"] == "rate_limit_error"
        assert int(response.headers["retry-after"]) >= 1
    assert [one.result().status_code for one in waiting] == [200, 200]
    assert ask(client, max_tokens=1).status_code == 200


def test_without_a_queue_free_places_are_given_all_the_same(serve, babbler) -> None:
    server, client = serve(babbler, concurrency=2, max_queue=0)
    running = server.endpoints.served.engine.core.scheduler.running
    assert ask(client, max_tokens=1).status_code == 200
    with ThreadPoolExecutor(2) as pool, babbler.lock:  # While it is held, nothing is computed.
        first = pool.submit(ask, client, max_tokens=1)
        wait_for(lambda: running)
        second = pool.submit(ask, client, max_tokens=1)
        wait_for(lambda: server.endpoints.served.engine.queue_length)
        refused(ask(client), 429)
    assert [first.result().status_code, second.result().status_code] == [200, 200]


def test_closing_ends_what_runs_and_says_so(serve, babbler) -> None:
    server, client = serve(babbler)
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(ask, client, **LONG)
        stream = pool.submit(broken_stream, client, **LONG)
        running = server.endpoints.served.engine.core.scheduler.running
        wait_for(lambda: len(running) == 2)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 3
        assert refused(answer.result(), 503)["code"] == "unavailable"
        assert '"unavailable"' in stream.result()[-1]
    assert server.endpoints.served.engine.core.is_idle
    with pytest.raises(httpx2.ConnectError):
        client.get("/health")


def test_a_slow_body_is_a_408(serve, speller) -> None:
    server, _ = serve(speller, header_seconds=0.2)
    port = int(server.url.rpartition(":")[2])
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 408"


def test_a_slow_head_is_cut_off(serve, speller) -> None:
    server, client = serve(speller, header_seconds=0.2)
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHo")
        connection.settimeout(5)
        assert connection.recv(100) == b""
    assert text_of(ask(client)) == ANSWER


def test_a_quiet_stream_shows_that_it_lives(serve, speller, monkeypatch) -> None:
    monkeypatch.setattr("ostro.server.app.HEARTBEAT_SECONDS", 0.05)
    _, client = serve(speller)
    body = {"model": MODEL, "messages": HELLO, "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        with speller.lock:
            while not next(lines).startswith(": "):
                pass
        rest = [line for line in lines if line.startswith("data: ")]
    assert rest[-1] == "data: [DONE]"
    assert choice(ask(client))["message"]["content"] == ANSWER
