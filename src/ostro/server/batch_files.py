"""The files of offline batches, in the form of Mistral's and OpenAI's batch API.

A line of input is ``{"custom_id": "1", "url": "/v1/chat/completions", "body": {...}}``; ``url`` may
be left out for a chat, and ``method`` may say ``POST``. A line of output holds ``custom_id``, and
under ``response`` the status and the body that the server would have sent.

Answers are appended to a file beside the output as they come. When all are there, they become the
output, in the order of the input. So a run that was killed goes on where it stopped: a line that is
complete is never computed again, and half a line is dropped.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ostro.errors import OstroError
from ostro.runtime.files import file_lock, whole_file

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
_KEYS = {"custom_id", "method", "url", "body"}


@dataclass(frozen=True)
class BatchLine:
    """One request of a batch."""

    custom_id: str
    url: str
    body: dict[str, Any]


class BatchInput:
    """A file of requests. All lines are checked before the first is computed."""

    def __init__(self, path: Path) -> None:
        """An OstroError names the first line that is not a request, or whose id is not new."""
        self._path = path
        self.ids: dict[str, None] = {}
        for number, line in enumerate(self, start=1):
            if line.custom_id in self.ids:
                raise OstroError(f"{path}, line {number}: custom_id {line.custom_id!r} came before")
            self.ids[line.custom_id] = None
        if not self.ids:
            raise OstroError(f"{path} holds no requests")

    def __iter__(self) -> Iterator[BatchLine]:
        try:
            with self._path.open("rb") as file:
                for number, text in enumerate(file, start=1):
                    if text.strip():
                        yield _read_line(text, f"{self._path}, line {number}")
        except OSError as error:
            raise OstroError(f"cannot read {self._path}: {error.strerror}") from error


class BatchOutput:
    """Answers on their way into a file."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._places = _complete_lines(file)

    @property
    def done(self) -> frozenset[str]:
        """The ids of requests that were answered, in this run or an earlier one."""
        return frozenset(self._places)

    def add(self, custom_id: str, answer: dict[str, Any]) -> None:
        """Append an answer. It is safe from then on."""
        place = self._file.seek(0, 2)
        self._file.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        self._places[custom_id] = place

    def finish(self, ids: Iterator[str]) -> None:
        """Write the output, with the answers in this order."""
        with whole_file(self._path) as temporary, temporary.open("wb") as output:
            for custom_id in ids:
                self._file.seek(self._places[custom_id])
                output.write(self._file.readline())


@contextmanager
def batch_output(path: Path) -> Iterator[BatchOutput]:
    """Open the answers that are there already, for nobody else to write at the same time."""
    if path.exists():
        raise OstroError(f"{path} exists already; remove it or choose another name")
    partial = path.with_name(f".{path.name}.answers")
    lock = path.with_name(f".{path.name}.lock")
    with file_lock(lock, waiting_for=f"writing {path}", timeout=1):
        try:
            with partial.open("a+b") as file:
                yield BatchOutput(path, file)
        except OSError as error:
            raise OstroError(f"cannot write {partial}: {error.strerror}") from error
        if path.exists():
            partial.unlink()
    lock.unlink(missing_ok=True)


def _complete_lines(file: BinaryIO) -> dict[str, int]:
    """Where each complete answer stands; half a line at the end is cut off."""
    places: dict[str, int] = {}
    file.seek(0)
    while text := file.readline():
        start = file.tell() - len(text)
        try:
            if not text.endswith(b"\n"):
                raise ValueError
            places[json.loads(text)["custom_id"]] = start
        except (ValueError, KeyError, TypeError):
            file.truncate(start)
            break
    return places


def _read_line(text: bytes, place: str) -> BatchLine:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OstroError(f"{place} is not JSON ({str(error)[:100]})") from None
    if not isinstance(value, dict):
        raise OstroError(f"{place} is not an object with custom_id and body")
    unknown = sorted(set(value) - _KEYS)
    if unknown:
        raise OstroError(f"{place}: unknown key {unknown[0]!r}; known: {', '.join(sorted(_KEYS))}")
    custom_id, body = value.get("custom_id"), value.get("body")
    url = value.get("url") or CHAT
    if not isinstance(custom_id, str) or not custom_id:
        raise OstroError(f"{place}: custom_id must be a text")
    if not isinstance(body, dict):
        raise OstroError(f"{place}: body must be an object")
    if value.get("method") not in (None, "POST") or url not in (CHAT, COMPLETIONS):
        raise OstroError(f"{place}: a request must be a POST to {CHAT} or {COMPLETIONS}")
    return BatchLine(custom_id, url, body)
