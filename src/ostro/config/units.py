"""Sizes as people write them: ``16G`` in, ``93.4 GB`` and ``46.7 B`` out."""

import math
import re

from ostro.errors import OstroError

_EXPONENTS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_bytes(text: str) -> int:
    """Bytes in ``24G``, ``512 MiB``, ``1.5GB`` or ``1000``.

    ``GB`` is 10^9; ``GiB`` and the bare ``G`` are 2^30, which is what memory is sold in.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(B|iB|)\s*", text, re.IGNORECASE)
    count = math.inf
    if match is not None and not (match[3].lower().startswith("i") and not match[2]):
        base = 1000 if match[3].lower() == "b" else 1024
        count = float(match[1]) * base ** _EXPONENTS[match[2].upper()]
    if not math.isfinite(count):
        raise OstroError(f"cannot read {text!r} as a size; write it as 24G, 512MiB or 1.5GB")
    return int(count)


def format_bytes(count: float) -> str:
    """``count`` bytes in decimal units with three digits, as file sizes are published."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB" if count < 999.5 else f"{count:.0f} TB"


def format_count(count: float) -> str:
    """A number of parameters: ``692 M``, ``46.7 B``."""
    for unit in ("", " k", " M"):
        if abs(count) < 999.5:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g} B" if count < 999.5 else f"{count:.0f} B"
