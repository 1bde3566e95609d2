"""A program that talks to ostro without knowing: its environment, its start, its signals.

Nothing changes for anybody but the program and what it starts.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import Progress
from ostro.server.legacy_client import CHILD_SITE, cache_folder, look_at, provide

# Endpoints of clients that read one. With /v1: OpenAI's client, that of its versions below 1,
# LangChain's of Mistral, and LiteLLM's two of Mistral. Without: LlamaIndex's of Mistral, and ours.
_WITH_VERSION = (
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "MISTRAL_BASE_URL",
    "MISTRAL_API_BASE",
    "MISTRAL_AZURE_API_BASE",
)
_WITHOUT_VERSION = ("MISTRAL_ENDPOINT", "OSTRO_URL")
_KEYS = ("MISTRAL_API_KEY", "OPENAI_API_KEY")
_NO_KEY = "ostro"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

_PYTHON = re.compile(r"(python|pypy)[\d.]*t?(\.exe)?")
_ASKS_FOR_LEGACY = re.compile(r"\bMistral(Async)?Client\b|\bmistralai\.models\.chat_completion\b")
_COPES_WITHOUT = re.compile(r"\bexcept\b( *:|.*\b(ImportError|ModuleNotFoundError|Exception)\b)")
_ON_ITS_OWN = re.compile(r"-[bBdiOPqsuvx]*[EIS][bBdiOPqsuvxEIS]*")
_LARGEST_SCRIPT = 1 << 20
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_KEYBOARD = ("SIGINT", "SIGQUIT")


def find_program(command: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """``command`` with the path of its program; one that cannot be run is an error."""
    program = shutil.which(command[0], path=variables.get("PATH"))
    if program is None:
        hint = f"; is it 'python {command[0]}'?" if command[0].endswith(".py") else ""
        raise OstroError(f"cannot run {command[0]!r}: there is no such program{hint}")
    return [program, *command[1:]]


def ready_client(
    command: Sequence[str],
    environment: Environment,
    variables: Mapping[str, str],
    progress: Progress,
) -> None:
    """Get Mistral's client 0.4.2 before the program starts, if it is seen to need it.

    That is: a Python whose script names what only that client has, and that lacks it. All others
    get it when they ask for it.
    """
    options = _python_options(command)
    if options is None:
        return
    if any(_ON_ITS_OWN.fullmatch(option) for option in options):
        progress.note(f"with {' '.join(options)} Python does not let ostro set Mistral's endpoint")
        return
    if not any(_needs_legacy(_text(argument)) for argument in command[1:]):
        return
    python = look_at(command[0], variables)
    if python is not None and not python.has_legacy_client:
        provide(python, environment, variables, progress)


def _python_options(command: Sequence[str]) -> list[str] | None:
    """The options in front of a script; None if the program is not a Python."""
    if _PYTHON.fullmatch(Path(command[0]).name.lower()) is None:
        return None
    options: list[str] = []
    for argument in command[1:]:
        if not argument.startswith("-") or argument in ("-", "-c", "-m"):
            break
        options.append(argument)
    return options


def _text(argument: str) -> str:
    """What a file holds, or the argument itself: it may be code."""
    path = Path(argument)
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST_SCRIPT:
            return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        pass
    return argument


def _needs_legacy(text: str) -> bool:
    return _ASKS_FOR_LEGACY.search(text) is not None and _COPES_WITHOUT.search(text) is None


def child_variables(
    own: Mapping[str, str], url: str, environment: Environment, fetch: Sequence[str]
) -> dict[str, str]:
    """The program's environment: ``own`` with every client's endpoint at ``url``.

    ``fetch`` is a command that provides 0.4.2 for the Python whose path is added to it. Keys that
    are set already stay; a proxy is told to leave this machine's own address alone.
    """
    variables = dict(own)
    for name in _KEYS:
        variables[name] = own.get(name) or _NO_KEY
    variables |= dict.fromkeys(_WITH_VERSION, f"{url}/v1")
    variables |= dict.fromkeys(_WITHOUT_VERSION, url)
    variables["OSTRO_RUN_CLIENTS"] = str(cache_folder(environment))
    variables["OSTRO_RUN_FETCH"] = json.dumps(list(fetch))
    path = [str(CHILD_SITE), own.get("PYTHONPATH", "")]
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    if any(own.get(name) or own.get(name.upper()) for name in _PROXIES):
        spared = own.get("no_proxy") or own.get("NO_PROXY") or ""
        value = ",".join(filter(None, (spared, "127.0.0.1", "localhost")))
        variables |= {"no_proxy": value, "NO_PROXY": value}
    return variables


def run_program(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the program with this process's standard streams; its exit code as shells count it."""
    with _Relay() as relay:
        try:
            program = subprocess.Popen(command, env=variables)
        except OSError as error:
            raise OstroError(f"cannot run {command[0]!r}: {error.strerror or error}") from error
        relay.connect(program)
        code = program.wait()
    return code if code >= 0 else 128 - code


class _Relay:
    """Passes on the signals that this process gets, instead of ending by them.

    The keyboard's signals reach the program without it: a terminal sends them to all that run in
    front. Should they not be heeded, the second is passed on all the same.
    """

    def __init__(self) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._keyboard = {getattr(signal, name, None) for name in _KEYBOARD}
        self._before: dict[int, Any] = {}

    def connect(self, program: subprocess.Popen[bytes]) -> None:
        """Say who gets the signals, those that came early first."""
        self._program = program
        for number in self._early:
            program.send_signal(number)

    def __enter__(self) -> Self:
        for number in (getattr(signal, name, None) for name in _SIGNALS):
            # What is ignored (under nohup, say) stays ignored, for the program too.
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number in self._keyboard and _runs_in_front():
            self._keyboard.discard(number)
        elif self._program is None:
            self._early.append(number)
        else:
            self._program.send_signal(number)


def _runs_in_front() -> bool:
    """Whether this process is among those that get the keyboard's signals from a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
