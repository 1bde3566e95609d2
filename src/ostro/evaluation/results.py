"""What was measured so far, on disk: a measurement that was stopped goes on where it was.

A measurement is of one model, by one task, by one protocol, and consists of units: a document, a
cell of a grid. Each unit is written down as soon as it is done. A model is known by what its file
holds, so that neither its name nor its place matter, and other weights begin anew.

These files are a cache: all of it can be measured again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ostro.errors import OstroError
from ostro.runtime.files import file_lock

_LOCK_SECONDS = 5


class Units:
    """The units of one measurement, by name; each has a value that JSON can tell."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self._path = path
        self._values: dict[str, Any] = {}
        if not path.exists():
            path.write_text(json.dumps(head) + "\n")
        else:
            self._read(head)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __len__(self) -> int:
        return len(self._values)

    def add(self, name: str, value: Any) -> None:
        """Keep a unit that is done. One that is known already is an error of the caller."""
        assert name not in self._values, name
        # As it will be read, so that both ways give the same.
        line = json.dumps([name, value])
        with self._path.open("a") as file:
            file.write(line + "\n")
        self._values[name] = json.loads(line)[1]

    def _read(self, head: Mapping[str, Any]) -> None:
        lines = self._path.read_bytes().split(b"\n")
        complete, torn = lines[:-1], lines[-1]
        if torn:  # The process was killed while it wrote.
            self._path.write_bytes(b"".join(line + b"\n" for line in complete))
        if not complete or json.loads(complete[0]) != json.loads(json.dumps(head)):
            raise OstroError(f"{self._path} is not what its name says; remove it")
        for line in complete[1:]:
            name, value = json.loads(line)
            self._values[name] = value


class Results:
    """The measurements in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self, model_key: str, task: str, protocol: Mapping[str, Any]) -> Iterator[Units]:
        """The units of a measurement, for one process at a time.

        ``protocol`` is everything that the result depends on, in JSON's plain values.
        """
        head = {"model": model_key, "task": task, "protocol": dict(protocol)}
        text = json.dumps(head, sort_keys=True)
        name = f"{task}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.jsonl"
        path = self._folder / model_key / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(
            path.with_suffix(".lock"), waiting_for="measuring this", timeout=_LOCK_SECONDS
        ):
            yield Units(path, head)
