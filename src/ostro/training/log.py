"""A run's log: JSON lines always, lines for people, TensorBoard where it was asked for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ostro.errors import OstroError
from ostro.runtime.files import whole_file
from ostro.runtime.progress import Progress


class _Board(Protocol):
    def add_scalar(self, tag: str, value: float, step: int) -> None: ...
    def close(self) -> None: ...


class Log(Protocol):
    """Takes the lines of a run."""

    def write(self, line: Mapping[str, Any]) -> None:
        """One line with ``step`` and whatever there is to say."""
        ...

    def close(self) -> None:
        """Nothing more will be written."""
        ...


class SilentLog:
    """Of a rank that another one speaks for."""

    def write(self, line: Mapping[str, Any]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class RunLog:
    """``log.jsonl`` in a run's folder, each line about one step."""

    def __init__(
        self, folder: Path, progress: Progress, *, step: int, tensorboard: bool = False
    ) -> None:
        """A run that goes on after ``step`` forgets what was written about later ones."""
        self._progress = progress
        self._path = folder / "log.jsonl"
        self._keep_until(step)
        self._file = self._path.open("a", encoding="utf-8")
        self._board: _Board | None = None
        if tensorboard:
            self._board = _open_board(folder / "tensorboard", step)

    def write(self, line: Mapping[str, Any]) -> None:
        """One line with ``step`` and whatever there is to say."""
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise OstroError(f"cannot write {self._path}: {error.strerror}") from error
        if self._board is not None:
            for name, value in line.items():
                if isinstance(value, int | float) and name != "step":
                    self._board.add_scalar(name, value, line["step"])
            for name, values in line.get("router", {}).items():
                for layer, value in enumerate(values):
                    if isinstance(value, int | float):
                        self._board.add_scalar(f"router/{name}/{layer}", value, line["step"])
        self._progress.note(for_people(line))

    def close(self) -> None:
        """Nothing more will be written."""
        self._file.close()
        if self._board is not None:
            self._board.close()

    def _keep_until(self, step: int) -> None:
        kept = [line for line in read_log(self._path) if line["step"] <= step]
        with whole_file(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that was cut off by the run's death is left out."""
    if not path.exists():
        return []
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found


def _open_board(folder: Path, step: int) -> _Board:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise OstroError("log.tensorboard needs the package tensorboard; install it") from None
    board: _Board = SummaryWriter(folder, purge_step=step + 1)
    return board


_SHOWN = ("loss", "lm", "preference", "parent", "balance", "accuracy", "validation_loss")


def for_people(line: Mapping[str, Any]) -> str:
    """A line of the log in short."""
    words = [f"step {line['step']}"]
    words += [f"{name} {line[name]:.4f}" for name in _SHOWN if name in line]
    if "lr" in line:
        words += [f"lr {line['lr']:.2e}", f"grad {line['grad_norm']:.3f}"]
        words += [f"{line['tokens_per_second']:,.0f} tokens/s", f"mfu {line['mfu']:.1%}"]
    router = line.get("router", {})
    if router:
        words += [f"overload {max(router['overload']):.2f}", f"dead {sum(router['dead'])}"]
    words += [f"({line['note']})"] if "note" in line else []
    return "  ".join(words)
