"""Answers that say the same over and over, as small models do when they do not know how to end."""

import re
from collections import Counter

_TIMES = 3
_LEAST_WORDS = 3
_END = re.compile(r"[.!?;\n]+")


def repeated_in(answer: str) -> str:
    """A sentence of three words or more that comes three times; empty if none does."""
    sentences = (" ".join(part.split()).casefold() for part in _END.split(answer))
    counts = Counter(one for one in sentences if len(one.split()) >= _LEAST_WORDS)
    return next((one for one, count in counts.items() if count >= _TIMES), "")
