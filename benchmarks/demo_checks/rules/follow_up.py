"""Questions about what was just said: the answer names what it was about.

Right is an answer in which one of the given stems begins a word (``zest`` is in ``zesty``). Case
does not count. The stems are of the thing that the question asks for and of those that stand for
it, such as the lemon whose zest is meant. Wrong are answers that decline or do not know what is
meant, that say the message asked about once more as a whole, that say a sentence three times, or
that take more than a hundred words: a long answer to a short question names many things.
"""

import re
from collections.abc import Sequence

from demo_checks.rules.judgement import Judgement
from demo_checks.rules.loops import repeated_in
from demo_checks.rules.refusal import refusal_in
from demo_checks.rules.stems import names_any

MOST_WORDS = 100
_LOST = re.compile(
    r"\bI(?:'m| am) not (?:quite |really |entirely )?(?:sure|certain)\b"
    r"|\bI (?:don't|do not) (?:know|understand|remember)\b"
    r"|\b(?:could|can|would) you (?:please )?(?:clarify|rephrase|provide|give|be more)\b",
    re.IGNORECASE,
)


def judge_follow_up(answer: str, stems: Sequence[str], said: str = "") -> Judgement:
    """Whether the answer names one of the ``stems``; ``said`` is the message asked about."""
    text = _plain(answer)
    lost = _LOST.search(text)
    marker = refusal_in(answer) or (lost[0] if lost else "")
    if marker:
        return Judgement(False, f"declines: {marker!r}")
    if said and _plain(said).casefold() in text.casefold():
        return Judgement(False, "repeats what was said")
    repeated = repeated_in(answer)
    if repeated:
        return Judgement(False, f"repeats itself: {repeated!r}")
    if not names_any(answer, stems):
        return Judgement(False, f"names none of {', '.join(stems)}")
    count = len(answer.split())
    if count > MOST_WORDS:
        return Judgement(False, f"{count} words to a short question")
    return Judgement(True)


def _plain(text: str) -> str:
    words = " ".join(text.replace("\u2019", "'").split())
    return words.strip("\"'")
