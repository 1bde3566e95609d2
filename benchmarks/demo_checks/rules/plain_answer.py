"""Plain questions: the answer names what was asked for, and does not go round in circles.

Right is an answer in which one of the given stems begins a word; case does not count. Wrong are
answers that decline, and those that say a sentence three times.
"""

from collections.abc import Sequence

from demo_checks.rules.judgement import Judgement
from demo_checks.rules.loops import repeated_in
from demo_checks.rules.refusal import refusal_in
from demo_checks.rules.stems import names_any


def judge_plain(answer: str, stems: Sequence[str]) -> Judgement:
    """Whether the answer names one of the ``stems``."""
    refused, repeated = refusal_in(answer), repeated_in(answer)
    if refused:
        return Judgement(False, f"declines: {refused!r}")
    if repeated:
        return Judgement(False, f"repeats itself: {repeated!r}")
    if not names_any(answer, stems):
        return Judgement(False, f"names none of {', '.join(stems)}")
    return Judgement(True)
