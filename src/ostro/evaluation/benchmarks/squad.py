"""Exact match and F1 of an answer, as SQuAD's evaluation has them (Rajpurkar et al., 2016)."""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_scores(document: Mapping[str, Any], answers: Sequence[str]) -> dict[str, float]:
    """``exact_match`` and ``f1`` of the first answer against the document's first one.

    This is a ``process_results`` for lm-eval. Its own one needs transformers.
    """
    expected = _words(document["answers"]["text"][0])
    given = _words(answers[0])
    return {"exact_match": float(given == expected), "f1": _f1(expected, given)}


def _words(text: str) -> list[str]:
    """Words without case, punctuation and English articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _f1(expected: Sequence[str], given: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the words; where one is empty, both must be."""
    if not expected or not given:
        return float(expected == given)
    shared = (Counter(expected) & Counter(given)).total()
    return 2 * shared / (len(expected) + len(given))
