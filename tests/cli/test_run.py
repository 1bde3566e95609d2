import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fake_chat import ANSWER, FakeChat
from ostro.cli import run as command
from ostro.cli.options import Running

# Speaks to the server with the standard library alone; the answer goes to the file it is given.
ASKS = """
import json, os, sys, urllib.request
body = {"model": "mistral-small", "messages": [{"role": "user", "content": "hello"}]}
request = urllib.request.Request(
    os.environ["OPENAI_BASE_URL"] + "/chat/completions",
    json.dumps(body).encode(),
    {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
)
answer = json.load(urllib.request.urlopen(request))
open(sys.argv[1], "w").write(answer["choices"][0]["message"]["content"])
"""


class Started:
    """What the command asked for, and the servers that it got."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Running]] = []
        self.chats: list[FakeChat] = []


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    started = Started()

    def start(model: str, running: Running, environment: Any) -> FakeChat:
        started.asked.append((model, running))
        started.chats.append(FakeChat())
        return started.chats[-1]

    monkeypatch.setattr(command, "_start", start)
    for name in ("OPENAI_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return started


def is_open(url: str) -> bool:
    """Whether anything listens there."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


def test_a_program_is_answered_by_a_server_that_ends_with_it(
    run, started: Started, tmp_path: Path
) -> None:
    ran = run("run", "--", sys.executable, "-c", ASKS, tmp_path / "answer")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / "answer").read_text() == ANSWER
    (chat,) = started.chats
    assert chat.requests[0]["messages"] == [{"role": "user", "content": "hello"}]
    assert chat.keys == ["Bearer ostro"]
    assert not is_open(chat.url)
    assert [model for model, _ in started.asked] == ["demo"]


def test_options_are_ostros_up_to_the_command(run, started: Started, tmp_path: Path) -> None:
    options = ["--model", "mine", "--threads", "3", "--context", "64"]
    write = "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))"
    program = [sys.executable, "-c", write, tmp_path / "words", "--model", "x", "--", "-h"]
    assert run("run", *options, "--", *program).code == 0
    assert run("run", *options, *program).code == 0
    assert (tmp_path / "words").read_text() == "['--model', 'x', '--', '-h']"
    expected = ("mine", Running(threads=3, context=64))
    assert started.asked == [expected, expected]


@pytest.mark.parametrize("code", [0, 1, 77, 130])
def test_the_exit_code_is_the_programs(run, started: Started, code: int) -> None:
    ran = run("run", "--", sys.executable, "-Sc", f"raise SystemExit({code})")
    assert ran.code == code
    assert "stopped" not in ran.err


def test_the_server_ends_when_the_program_cannot_start(
    run, started: Started, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("no program\n")
    script.chmod(0o755)
    ran = run("run", "--", script)
    assert ran.code == 2
    assert ran.err.startswith(f"ostro: cannot run '{script}': ")
    assert not is_open(started.chats[0].url)


def test_mistakes_are_told_before_anything_starts(run, started: Started) -> None:
    ran = run("run", "--", "no-such-program")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "ostro: cannot run 'no-such-program': there is no such program\n"
    ran = run("run")
    assert ran.code == 2
    assert "COMMAND" in ran.err
    assert started.asked == []


def test_without_a_network_the_missing_client_is_one_line(
    run, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_ARGS", "--no-index")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    script = tmp_path / "guide.py"
    script.write_text("from mistralai.client import MistralClient\n")
    ran = run("run", "--", sys.executable, script)
    assert ran.code == 2
    progress, error = ran.err.splitlines()
    assert progress.startswith("fetching mistralai 0.4.2 for Python 3.")
    assert error.startswith("ostro: pip could not fetch mistralai 0.4.2")
    assert started.asked == []


def test_the_client_for_a_python_that_is_none(run) -> None:
    ran = run("fetch-client", "/bin/echo")
    assert (ran.code, ran.err) == (2, "ostro: /bin/echo is not a Python of 3.8 or newer\n")
