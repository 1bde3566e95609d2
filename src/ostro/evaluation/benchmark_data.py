"""Benchmark data in a folder that the user names: records by the name of a file."""

import random
from collections.abc import Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from ostro.data.broken import Broken
from ostro.data.records import read_records
from ostro.errors import OstroError

_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")


class BenchmarkData:
    """The files of ``--data DIR``, or of its folder ``eval``."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise OstroError(f"--data {folder}: there is no such folder")
        inner = folder / "eval"
        self.folder = inner if inner.is_dir() else folder

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, without its ending."""
        return self._path(name) is not None

    def path(self, name: str) -> Path:
        """Where it is; an OstroError names what is missing."""
        path = self._path(name)
        if path is None:
            raise OstroError(f"{self.folder} has no {name}.jsonl (or .gz, .zst)")
        return path

    def records(self, name: str, fields: Sequence[str] = ()) -> list[dict[str, Any]]:
        """All records of a file, in order; each must have these ``fields``.

        A file with a broken line is refused: scores of a part would pass for those of the whole.
        """
        path, broken = self.path(name), Broken()
        found = list(read_records([path], broken, lambda done: None))
        if broken.count:
            first = broken.first[0]
            raise OstroError(f"{first.place}: {first.reason}; mend the file, or fetch it again")
        for record in found:
            missing = [field for field in fields if field not in record.values]
            if missing:
                raise OstroError(f"{record.place}: a record of {name} needs {missing[0]!r}")
        return [record.values for record in found]

    def _path(self, name: str) -> Path | None:
        paths = (self.folder / f"{name}{ending}" for ending in _ENDINGS)
        return next((path for path in paths if path.is_file()), None)


def spread_sample(groups: Sequence[str], limit: int | None, seed: int) -> list[int]:
    """Numbers of at most ``limit`` documents, spread evenly over their ``groups``, in order.

    The groups' shares differ by one document at most; those that run out leave theirs to others.
    Which documents, and which groups have one more, is drawn by ``seed``.
    """
    if limit is None or limit >= len(groups):
        return list(range(len(groups)))
    draw = random.Random(seed)
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    for numbers in members.values():
        draw.shuffle(numbers)
    names = sorted(members)
    draw.shuffle(names)
    rounds = zip_longest(*(members[name] for name in names))
    drawn = (number for numbers in rounds for number in numbers if number is not None)
    return sorted(islice(drawn, limit))
