"""What every sub-command prints in the same way."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any


def print_json(document: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on standard output."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


def note(text: str) -> None:
    """A line for the person, beside what the command prints."""
    print(text, file=sys.stderr, flush=True)
