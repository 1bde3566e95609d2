"""Whether an answer names what it is to be about."""

import re
from collections.abc import Sequence


def names_any(answer: str, stems: Sequence[str]) -> bool:
    """Whether one of the ``stems`` begins a word of the answer; case does not count."""
    return any(re.search(rf"\b{re.escape(stem)}", answer, re.IGNORECASE) for stem in stems)
