"""JSON files that must hold a table."""

import json
from pathlib import Path
from typing import Any

from ostro.errors import CheckpointError


def read_table(path: Path, *, missing_is_empty: bool = False) -> dict[str, Any]:
    """A JSON table from a file, or an error that names it."""
    if missing_is_empty and not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: not a JSON table")
    return values
