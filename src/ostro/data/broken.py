"""Records that could not be used: all are counted, and the first few are kept to be told."""

from dataclasses import dataclass

_KEPT = 5


@dataclass(frozen=True)
class BrokenRecord:
    """Where a record stands, and what is wrong with it."""

    place: str
    """A file and a line, such as ``chats.jsonl:12``."""
    reason: str


class Broken:
    """Collects what is broken, so that one bad line does not end a long run."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BrokenRecord] = []
        """The first few, in the order in which they were found."""

    def add(self, place: str, reason: str) -> None:
        """Count one, and keep it if it is among the first."""
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append(BrokenRecord(place, reason))
