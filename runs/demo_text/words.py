"""Texts as words, and the runs of words that two texts share."""

import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[^\W_]+", re.UNICODE)

Run = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Words in lower case; punctuation, underscores and white space only part them."""
    return _WORD.findall(text.lower())


def runs(words: Sequence[str], length: int) -> Iterator[Run]:
    """Every run of so many neighbours."""
    return (tuple(words[at : at + length]) for at in range(len(words) - length + 1))


def holds_run(words: Sequence[str], run: Run) -> bool:
    """Whether ``run`` stands somewhere in ``words``."""
    return bool(run) and any(found == run for found in runs(words, len(run)))
