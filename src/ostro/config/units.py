"""Sizes as people write them: ``16G`` in, ``93.4 GB`` and ``46.7 B`` out."""

import re

from ostro.errors import OstroError

_EXPONENTS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_bytes(text: str) -> int:
    """Bytes in ``24G``, ``512 MiB``, ``1.5GB`` or ``1000``.

    ``GB`` is 10^9; ``GiB`` and the bare ``G`` are 2^30, which is what memory is sold in.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?B?)\s*", text, re.IGNORECASE)
    if match is None or (match[3].lower() == "i"):
        raise OstroError(f"cannot read {text!r} as a size; write it as 24G, 512MiB or 1.5GB")
    number, prefix, suffix = float(match[1]), match[2].upper(), match[3].lower()
    base = 1000 if suffix == "b" else 1024
    return int(number * base ** _EXPONENTS[prefix])


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
