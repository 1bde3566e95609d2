"""What sub-commands read beside their arguments: texts, conversations, JSON."""

import json
from pathlib import Path
from typing import Any

from ostro.errors import OstroError
from ostro.model.steering import Steering, parse_steering


def read_text(path: Path) -> str:
    """A file of UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise OstroError(f"cannot read the text {path}: {reason}") from error


def read_messages(path: Path) -> Any:
    """The list of messages in a JSON file, which may stand under ``messages``."""
    values = _read_json(path)
    return values["messages"] if isinstance(values, dict) and "messages" in values else values


def read_steering(given: str | None) -> Steering | None:
    """Steering as JSON, or as ``@FILE`` that holds it."""
    if given is None:
        return None
    if given.startswith("@"):
        values = _read_json(Path(given[1:]))
    else:
        try:
            values = json.loads(given)
        except ValueError as error:
            raise OstroError(
                f"--steering: not readable as JSON ({error}); a file is given as @FILE"
            ) from error
    if not isinstance(values, dict):
        raise OstroError(f'--steering must be a JSON object such as {{"force": [3]}}, not {values}')
    return parse_steering(values)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OstroError(f"{path}: not readable as JSON ({error})") from error
