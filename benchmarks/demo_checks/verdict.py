"""What a check hands out, and how a person is shown it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of one check."""

    name: str
    passed: bool | None
    """None where too little was measured to say."""
    goal: str
    result: str
    """In a few words."""
    found: dict[str, Any] = field(repr=False)
    """Everything that was measured, in JSON's plain values."""
    lines: Sequence[str] = ()
    """More of it for a person."""

    @property
    def word(self) -> str:
        """``pass``, ``short`` or ``open``."""
        return {True: "pass", False: "short", None: "open"}[self.passed]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self) | {"verdict": self.word}
        del values["lines"]
        return values


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A row for each check, and below it what is worth a look."""
    widths = [max((len(cell) for cell in column), default=0) for column in _columns(verdicts)]
    for verdict in verdicts:
        cells = (verdict.name, verdict.word, verdict.result)
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"{'  '.join(padded)}  (goal: {verdict.goal})"
    for verdict in verdicts:
        if verdict.lines:
            yield from ("", f"{verdict.name}:", *(f"  {line}" for line in verdict.lines))


def all_of(parts: Iterable[bool | None]) -> bool | None:
    """Whether all hold: False as soon as one does not, None while one is unknown."""
    known = list(parts)
    if False in known:
        return False
    return None if not known or None in known else True


def _columns(verdicts: Sequence[Verdict]) -> Iterator[list[str]]:
    for name in ("name", "word", "result"):
        yield [getattr(verdict, name) for verdict in verdicts]
