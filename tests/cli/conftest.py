"""Running the command in this process."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ostro.cli.main import main
from tiny_chat import save_speller


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


class Input(io.StringIO):
    """Standard input: a pipe, or a terminal."""

    def __init__(self, text: str, *, terminal: bool) -> None:
        super().__init__(text)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ostro home of this test's own, and a bandwidth that need not be measured."""
    for name in ("HF_TOKEN", "HF_ENDPOINT", "PIP_ARGS"):
        monkeypatch.delenv(name, raising=False)
    # Matrices this small are not worth a second thread.
    monkeypatch.setenv("OSTRO_THREADS", "1")
    monkeypatch.setenv("OSTRO_HOME", str(tmp_path / "home"))
    for room in ("engine.planning", "cli.propose"):
        monkeypatch.setattr(f"ostro.{room}.read_bandwidth", lambda home, threads: 10e9)
    return tmp_path / "home"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``ostro`` with arguments; standard input is a pipe unless said otherwise."""

    def run_main(*arguments: object, stdin: str = "", terminal: bool = False) -> Ran:
        monkeypatch.setattr(sys, "argv", ["ostro", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", Input(stdin, terminal=terminal))
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main()
        code = exit_info.value.code
        assert isinstance(code, int)
        return Ran(code, *capsys.readouterr())

    return run_main


@pytest.fixture(scope="session")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers every question with the alphabet."""
    return save_speller(tmp_path_factory.mktemp("models") / "speller")
