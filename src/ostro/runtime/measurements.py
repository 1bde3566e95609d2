"""What was measured on this machine once, kept in small files so that it need not be again."""

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ostro.errors import OstroError
from ostro.runtime.files import whole_file


def measured_once(cache: Path, key: str, measure: Callable[[], float]) -> float:
    """The value of ``key`` in ``cache``, above 0; measured and put there if it is missing."""
    known = _load(cache)
    if key not in known:
        known[key] = measure()
        # Where the folder cannot be written, the next call measures again.
        with suppress(OstroError), whole_file(cache) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n")
    return known[key]


def _load(cache: Path) -> dict[str, float]:
    """The kept measurements; a damaged cache counts as none, since it can be measured again."""
    try:
        entries = json.loads(cache.read_text())
        values = {str(key): float(value) for key, value in entries.items()}
        return {key: value for key, value in values.items() if 0 < value < math.inf}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
