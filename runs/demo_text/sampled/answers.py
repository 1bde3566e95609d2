"""Answers as they are kept: those that a limit cut are cut back to their last whole sentence."""

import re

from demo_text.sampled.sampler import Sampled

_END_OF_SENTENCE = re.compile(r"[.!?…][\"'”\u2019)\]*_`]*(?=\s|$)|\n```(?=\s|$)")
_NUMBER_OF_LIST = re.compile(r"(?:^|\n)\s*\d+\.$")
_LEAST_CHARACTERS = 40


def kept_answer(answer: Sampled) -> str | None:
    """The answer's text, or None if there is nothing to keep."""
    text = answer.text.strip()
    if not answer.ended:
        text = whole_sentences(text)
    if "\ufffd" in text or not text or (not answer.ended and len(text) < _LEAST_CHARACTERS):
        return None
    return text


def whole_sentences(text: str) -> str:
    """Up to the last end of a sentence; a list's number ("3.") is none. Open code is taken out."""
    ends = [match.end() for match in _END_OF_SENTENCE.finditer(text)]
    for end in reversed(ends):
        part = text[:end]
        if part.count("```") % 2 == 0 and not _NUMBER_OF_LIST.search(part):
            return part
    return ""
