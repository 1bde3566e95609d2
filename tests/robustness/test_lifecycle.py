"""How a server's process begins and ends, and what it says about it."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.server.serve import listen, serve, url_of
from ostro.server.serve_options import ServeOptions
from robustness.conftest import wait_for
from robustness.wire import Wire
from tiny_chat import save_babbler

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from ostro.cli.main import main; main()", "serve"]
IMPATIENT = """\
import sys
import ostro
from ostro.server.serve import listen, serve, url_of
from ostro.server.serve_options import ServeOptions
options = ServeOptions(port=0, drain_seconds=0.5)
sock = listen(options)
llm = ostro.load(sys.argv[1])
print(url_of(sock, options), file=sys.stderr, flush=True)
serve(llm, options, sock)
"""
LONG = {"model": "tiny", "prompt": "a", "max_tokens": 1500, "ignore_eos": True}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    return save_babbler(folder, max_position_embeddings=2048)


class Process:
    """A server in a process of its own."""

    def __init__(self, command: list[str], home: Path) -> None:
        self.log = ""
        self.clients: list[Wire] = []
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "src"),
                "OSTRO_HOME": str(home),
                "OSTRO_THREADS": "1",
            },
        )

    @property
    def url(self) -> str:
        """Where it is, once it says so."""
        self.read_until(r"http://\S+")
        return re.search(r"http://[^\s(]+", self.log)[0]

    def read_until(self, pattern: str) -> None:
        """Read its log until something stands there."""
        assert self.process.stderr is not None
        end = time.monotonic() + 60
        while not re.search(pattern, self.log):
            assert time.monotonic() < end, self.log
            if select.select([self.process.stderr], [], [], 1)[0]:
                more = os.read(self.process.stderr.fileno(), 1 << 16).decode()
                assert more, self.log
                self.log += more

    def connect(self) -> Wire:
        """A client, for as long as the process is."""
        self.clients.append(Wire(self.url))
        return self.clients[-1]

    def ask_long(self) -> Wire:
        """A client whose stream has begun."""
        url = self.url
        wait_for(lambda: is_open(url), "it does not listen", 30)
        client = self.connect()
        client.post("/v1/completions", LONG | {"stream": True})
        client.socket.recv(1)
        return client

    def end(self) -> int:
        """Wait for it; its exit code."""
        _, rest = self.process.communicate(timeout=30)
        self.log += rest.decode()
        return self.process.returncode


def is_open(url: str) -> bool:
    try:
        with Wire(url) as client:
            client.get("/health")
            return client.response()[0] == 200
    except ConnectionError:
        return False


@pytest.fixture
def start(model, tmp_path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(*command: str) -> Process:
        started.append(Process([*command], tmp_path))
        return started[-1]

    yield begin
    for one in started:
        for client in one.clients:
            client.close()
        if one.process.poll() is None:
            one.process.kill()
            one.end()


@pytest.mark.slow
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_finish(start, model, sig) -> None:
    server = start(*COMMAND, str(model), "--port=0")
    client = server.ask_long()
    server.process.send_signal(sig)
    server.read_until("stopping: 1 requests may go on for 30 seconds")
    late = server.connect()
    late.post("/v1/completions", LONG)
    status, headers, body = late.response()
    assert (status, body["code"], "retry-after" in headers) == (503, "unavailable", True)
    late = server.connect()  # The last one is closed, since its request was not read.
    late.get("/health")
    assert late.response()[0] == 503
    assert client.rest().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert server.end() == 0
    assert "Traceback" not in server.log
    assert "Exception" not in server.log
    lines = [line for line in server.log.splitlines() if " POST " in line]
    assert [line.split()[6] for line in lines] == ["503", "200"]


@pytest.mark.slow
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(start, model, sig) -> None:
    server = start(*COMMAND, str(model), "--port=0")
    client = server.ask_long()
    server.process.send_signal(sig)
    server.read_until("stopping")
    began = time.monotonic()
    server.process.send_signal(sig)
    assert server.end() == 128 + sig
    assert time.monotonic() - began < 1
    assert b"[DONE]" not in client.rest()
    assert "Traceback" not in server.log


@pytest.mark.slow
def test_what_does_not_finish_in_time_is_told_so(start, model) -> None:
    server = start(sys.executable, "-c", IMPATIENT, str(model))
    stream, _stalled = server.ask_long(), server.ask_long()
    whole = server.connect()
    whole.post("/v1/completions", LONG | {"n": 8})
    time.sleep(0.2)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    status, _, body = whole.response()
    assert (status, body["code"]) == (503, "unavailable")
    assert b'"unavailable"' in stream.rest()
    assert server.end() == 0
    assert time.monotonic() - began < 5
    assert "Traceback" not in server.log


@pytest.mark.slow
def test_prompts_stay_out_of_the_log(start, model) -> None:
    server = start(*COMMAND, str(model), "--port=0")
    client = server.ask_long()
    client.close()
    for body in (
        {"model": "secret-model", "prompt": "secret prompt"},
        {"model": "tiny", "prompt": ["secret prompt", 3]},
        {"model": "tiny", "prompt": "secret prompt", "stop": {"secret": "prompt"}},
        b'{"prompt": "secret prompt"',
    ):
        with Wire(server.url) as other:
            other.post("/v1/completions", body)
            assert other.response()[0] in (400, 404, 422)
    server.process.send_signal(signal.SIGTERM)
    assert server.end() == 0
    assert "secret" not in server.log
    assert "Traceback" not in server.log
    lines = [line for line in server.log.splitlines() if re.search(r" (GET|POST) ", line)]
    assert len([line for line in lines if " POST /v1/completions " in line]) == 5
    assert all(re.search(r"INFO \S+ \w+ /\S* (\d{3}|gone) \d+ ms$", line) for line in lines)


@pytest.mark.slow
def test_what_is_wrong_is_one_line_before_the_model_is_looked_for(start, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(*COMMAND, str(tmp_path / "no-model"), f"--port={port}")
        assert server.end() == 2
    (line,) = server.log.splitlines()
    assert re.match(f"ostro: cannot listen on 127.0.0.1:{port}: .*; give another --port", line)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "192.0.2.1", "insecure": True}, "cannot listen on 192.0.2.1:8000"),
        ({"host": "0.0.0.0"}, "0.0.0.0 can be reached by others; give --api-keys FILE"),
        ({"host": ""}, "every address can be reached by others"),
        ({"host": "127.example.org"}, "127.example.org can be reached by others"),
        ({"host": "localhost.example.org"}, "can be reached by others"),
        ({"host": "::"}, ":: can be reached by others"),
        ({"keys": "two words\n"}, "keys, line 1: a key is one word"),
        ({"keys": "# nothing\n"}, "keys holds no API key; 'ostro key' makes one"),
        ({"keys": None}, "cannot read the API keys in"),
    ],
)
def test_a_server_is_not_opened_as_nobody_meant_it(tmp_path, options, words: str) -> None:
    if "keys" in options:
        options, text = {"api_keys": tmp_path / "keys"}, options["keys"]
        if text is not None:
            (tmp_path / "keys").write_text(text)
    with pytest.raises(OstroError, match=words):
        listen(ServeOptions(**options))


def test_of_two_servers_that_have_bound_an_address_one_gets_it() -> None:
    """As when the second is started while the first still loads its model."""
    options = ServeOptions(port=0)
    with listen(options) as first, listen(replace(options, port=first.getsockname()[1])) as second:
        first.listen()
        with pytest.raises(OstroError, match=r"cannot listen on .*; give another --port"):
            serve(None, options, second)


def test_an_address_of_the_newer_kind_stands_in_brackets() -> None:
    options = ServeOptions(host="::1", port=0)
    try:
        sock = listen(options)
    except OstroError:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert url_of(sock, options) == f"http://[::1]:{sock.getsockname()[1]}"
