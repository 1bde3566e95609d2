"""The environment, the start and the signals of a program that ``ostro run`` starts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.server import launch
from ostro.server.launch import child_variables, find_program, ready_client, run_program
from ostro.server.legacy_client import CHILD_SITE, ChildPython

URL = "http://127.0.0.1:4711"
ROOT = Path(__file__).parents[2]
NAMES_CLIENT = "from mistralai.client import MistralClient\n"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home")


def test_every_client_is_pointed_at_the_server(environment: Environment) -> None:
    own = {"PATH": "/bin", "OPENAI_BASE_URL": "http://elsewhere/v1", "LANG": "C"}
    variables = child_variables(own, URL, environment, ["fetch", "it"])
    with_version = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "MISTRAL_BASE_URL", "MISTRAL_API_BASE")
    assert {variables[name] for name in with_version} == {f"{URL}/v1"}
    assert variables["MISTRAL_ENDPOINT"] == variables["OSTRO_URL"] == URL
    assert variables["MISTRAL_API_KEY"] == variables["OPENAI_API_KEY"] == "ostro"
    assert variables["PYTHONPATH"] == str(CHILD_SITE)
    assert json.loads(variables["OSTRO_RUN_FETCH"]) == ["fetch", "it"]
    assert (variables["PATH"], variables["LANG"]) == ("/bin", "C")
    assert "NO_PROXY" not in variables
    assert own["OPENAI_BASE_URL"] == "http://elsewhere/v1"


def test_keys_and_paths_of_the_user_stay(environment: Environment) -> None:
    own = {"MISTRAL_API_KEY": "mine", "OPENAI_API_KEY": "", "PYTHONPATH": "one"}
    variables = child_variables(own, URL, environment, [])
    assert (variables["MISTRAL_API_KEY"], variables["OPENAI_API_KEY"]) == ("mine", "ostro")
    assert variables["PYTHONPATH"] == os.pathsep.join([str(CHILD_SITE), "one"])


def test_a_proxy_is_not_asked_for_the_server(environment: Environment) -> None:
    own = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "intranet"}
    variables = child_variables(own, URL, environment, [])
    assert variables["NO_PROXY"] == variables["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_a_program_is_found_on_the_path_of_its_environment(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert find_program(["tool", "-x"], {"PATH": str(tmp_path)}) == [str(tool), "-x"]
    with pytest.raises(OstroError, match="no such program"):
        find_program(["tool"], {"PATH": "/nowhere"})
    with pytest.raises(OstroError, match=r"is it 'python guide\.py'\?"):
        find_program(["guide.py"], {"PATH": "/nowhere"})


class Asked:
    """Stands for a Python that is looked at, and notes what is provided for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, has_legacy_client: bool) -> None:
        self.provided: list[ChildPython] = []
        self.python = ChildPython(
            executable="python",
            tag="cpython-311",
            version=(3, 11),
            has_pip=True,
            mistralai="3.7.0",
            has_legacy_client=has_legacy_client,
        )
        monkeypatch.setattr(launch, "look_at", lambda executable, variables: self.python)
        monkeypatch.setattr(launch, "provide", lambda python, *rest: self.provided.append(python))

    def ready(self, environment: Environment, command: Sequence[object]) -> int:
        """How many times something was provided for ``command``."""
        before = len(self.provided)
        ready_client([str(word) for word in command], environment, {}, TerminalProgress())
        return len(self.provided) - before


def test_a_script_that_names_the_earlier_client_gets_it_before_it_starts(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "guide.py"
    script.write_text(NAMES_CLIENT)
    asked = Asked(monkeypatch, has_legacy_client=False)
    for program in ("python", "/usr/bin/python3.11", "C/python.exe", "pypy3"):
        assert asked.ready(environment, [program, "-u", script, "--flag"]) == 1
    assert asked.ready(environment, ["python", "-c", NAMES_CLIENT]) == 1


def test_nothing_is_fetched_for_programs_that_can_do_without(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide, later, copes = (tmp_path / name for name in ("guide.py", "later.py", "copes.py"))
    guide.write_text(NAMES_CLIENT)
    later.write_text("from mistralai.client import Mistral\n")
    copes.write_text(f"try:\n    {NAMES_CLIENT}except ImportError:\n    pass\n")
    asked = Asked(monkeypatch, has_legacy_client=False)
    assert asked.ready(environment, ["python", later]) == 0
    assert asked.ready(environment, ["python", copes]) == 0
    assert asked.ready(environment, ["python"]) == 0
    assert asked.ready(environment, ["sh", guide]) == 0
    asked = Asked(monkeypatch, has_legacy_client=True)
    assert asked.ready(environment, ["python", guide]) == 0


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-uE", "-IB"])
def test_a_python_that_does_not_read_its_path_is_told_of(
    environment: Environment, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_client(["python", option, "guide.py"], environment, {}, TerminalProgress())
    assert capsys.readouterr().err.startswith(f"with {option} Python does not let ostro")


@pytest.mark.parametrize("options", [["-u"], ["-W", "Error"], ["-m", "E"], ["-c", "-E"]])
def test_other_options_are_not(
    environment: Environment, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ready_client(["python", *options], environment, {}, TerminalProgress())
    assert capsys.readouterr().err == ""


def test_exit_codes_are_the_programs() -> None:
    assert run_program([sys.executable, "-Sc", "raise SystemExit(7)"], os.environ) == 7
    assert run_program(["/bin/sh", "-c", "kill -9 $$"], os.environ) == 128 + 9
    with pytest.raises(OstroError, match="cannot run '/nowhere'"):
        run_program(["/nowhere"], os.environ)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    run_program(["/bin/sh", "-c", ":"], os.environ)
    assert signal.getsignal(signal.SIGTERM) is before


# Counts signals for a moment after the first, and ends with their number.
COUNTS = """
import signal, sys, time
seen = []
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
        signal.signal(getattr(signal, name), lambda number, frame: seen.append(number))
print("ready", flush=True)
end = time.monotonic() + 20
while not seen and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.2)
print(*seen, flush=True)
sys.exit(40 + len(seen))
"""
STARTS = f"""
import os, sys
from ostro.server.launch import run_program
sys.exit(run_program([sys.executable, "-Sc", {COUNTS!r}], os.environ))
"""


def start(code: str, **options: object) -> "subprocess.Popen[str]":
    """A process of its own session that runs ``code``; returns when its program is ready.

    What a shell has put into the background ignores interrupts, what nohup has started ignores
    hang-ups, and so would all their children.
    """

    def heeds_signals() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heeds_signals,
        **options,  # type: ignore[call-overload]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_program_once(number: signal.Signals) -> None:
    with start(STARTS) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == (f"{number:d}\n", 41)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
def test_control_c_of_a_terminal_reaches_the_program_once() -> None:
    keyboard, terminal = os.openpty()
    # The first terminal that the leader of a session opens becomes the session's own.
    code = f"import os\nos.open({os.ttyname(terminal)!r}, os.O_RDWR)\n{STARTS}"
    try:
        with start(code) as process:
            os.write(keyboard, b"\x03")
            out, _ = process.communicate(timeout=30)
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert (out, process.returncode) == ("2\n", 41)


def test_an_ignored_signal_stays_ignored() -> None:
    code = f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{STARTS}"
    with start(code) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert out == "15\n"
