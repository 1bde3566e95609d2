"""What every benchmark hands out: one form of result, as JSON or as a table."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """One comparison. It succeeds where ``ratio >= goal``.

    ``peer`` is the fastest of the peers, or a bound such as the memory's bandwidth. ``ratio`` is
    above one where ostro is better. A goal of 0 asks for nothing: the comparison is shown only.
    """

    name: str
    ostro: float
    peer: float
    peer_name: str
    ratio: float
    goal: float
    unit: str

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal


def compare(
    name: str,
    *,
    ostro: float,
    peer: float,
    peer_name: str,
    goal: float,
    unit: str,
    smaller_is_better: bool = False,
) -> Result:
    """A result with its ratio; a side that measured nothing gives the ratio 0."""
    better, worse = (peer, ostro) if smaller_is_better else (ostro, peer)
    return Result(
        name=name,
        ostro=ostro,
        peer=peer,
        peer_name=peer_name,
        ratio=better / worse if better and worse else 0.0,
        goal=goal,
        unit=unit,
    )


def as_json(results: Sequence[Result]) -> str:
    """One JSON list, four digits a number."""
    return json.dumps([{k: _rounded(v) for k, v in asdict(r).items()} for r in results], indent=2)


def as_table(results: Sequence[Result]) -> str:
    """Columns for a person."""
    head = ("name", "ostro", "peer", "unit", "ratio", "goal", "", "against")
    rows = [head, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    right = {1, 2, 4, 5}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def print_results(heading: str, results: Sequence[Result], *, json_wanted: bool) -> None:
    """A heading and a table, or the JSON list alone, the heading then on standard error."""
    if json_wanted:
        print(heading, file=sys.stderr, flush=True)
        print(as_json(results), flush=True)
    else:
        print(f"{heading}\n{as_table(results)}", flush=True)


def _row(result: Result) -> tuple[str, ...]:
    verdict = "" if not result.goal else "reached" if result.reached else "missed"
    return (
        result.name,
        f"{result.ostro:.4g}",
        f"{result.peer:.4g}",
        result.unit,
        f"{result.ratio:.2f}",
        f"{result.goal:g}" if result.goal else "",
        verdict,
        result.peer_name,
    )


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
