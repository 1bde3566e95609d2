"""What every sub-command prints in the same way."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ostro.config import format_bytes

if TYPE_CHECKING:  # It would import PyTorch, which some commands do without.
    from ostro.weights.expert_pool import PoolMetrics


def print_json(document: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on standard output."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


def pool_line(experts: "PoolMetrics") -> str:
    """What the pool of experts did, in one line."""
    return (
        f"{experts.hit_rate:.0%} of experts were in memory, "
        f"{format_bytes(experts.bytes_per_token)} read from disk a token, "
        f"{experts.prefetch_accuracy:.0%} of early reads were wanted"
    )


def note(text: str) -> None:
    """A line for the person, beside what the command prints."""
    print(text, file=sys.stderr, flush=True)
