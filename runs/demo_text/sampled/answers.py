"""Answers as they are kept: those that a limit cut are cut back to their last whole sentence.

Answers that decline, and those that say a sentence three times, are not kept.
"""

import re
from collections import Counter

from demo_text.sampled.sampler import Sampled

_END_OF_SENTENCE = re.compile(r"[.!?…][\"'”\u2019)\]*_`]*(?=\s|$)|\n```(?=\s|$)")
_NUMBER_OF_LIST = re.compile(r"(?:^|\n)\s*\d+\.$")
_LEAST_CHARACTERS = 40
# The parent, asked for something harmless, declines now and then; that is not to be learned.
_DECLINES = re.compile(
    r"\b(?:I'm|I am) (?:sorry|afraid|not able|unable)\b|\bI (?:can't|cannot|can not|won't)\b"
    r"|\bas an? (?:AI|artificial|language model)\b",
    re.IGNORECASE,
)
_READ = 160  # Characters in which an answer declines, if it does.
_TIMES = 3


def kept_answer(answer: Sampled) -> str | None:
    """The answer's text, or None if there is nothing to keep."""
    text = answer.text.strip()
    if not answer.ended:
        text = whole_sentences(text)
    if "\ufffd" in text or not text or (not answer.ended and len(text) < _LEAST_CHARACTERS):
        return None
    return None if _DECLINES.search(text[:_READ]) or _goes_round(text) else text


def _goes_round(text: str) -> bool:
    sentences = Counter(part.strip() for part in re.split(r"[.!?\n]+", text) if len(part) > 20)
    return any(count >= _TIMES for count in sentences.values())


def whole_sentences(text: str) -> str:
    """Up to the last end of a sentence; a list's number ("3.") is none. Open code is taken out."""
    ends = [match.end() for match in _END_OF_SENTENCE.finditer(text)]
    for end in reversed(ends):
        part = text[:end]
        if part.count("```") % 2 == 0 and not _NUMBER_OF_LIST.search(part):
            return part
    return ""
