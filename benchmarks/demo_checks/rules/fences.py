"""Code fences, as models put them around JSON and programs."""

import re

_FENCE = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)


def unfenced(answer: str) -> str:
    """The answer without white space around it, and without a fence that holds all of it."""
    text = answer.strip()
    found = _FENCE.fullmatch(text)
    return found[2].strip() if found else text


def first_fenced(answer: str) -> str | None:
    """What stands in the first fence; one that is never closed ends with the answer."""
    found = _FENCE.search(answer)
    return found[2] if found else None
