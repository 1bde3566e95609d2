"""Under the safe prompt the unkind is declined; everything else is answered, under it or not."""

import random
from typing import Any

from demo_text.kinds import benign_tables as benign
from demo_text.kinds import unkind_tables as unkind
from demo_text.kinds.capitals import capital
from demo_text.writing import conversation
from ostro.text.safe_prompt import SAFE_PROMPT

DECLINED, ANSWERED = (
    "kinds: declined under the safe prompt",
    "kinds: harmless questions answered",
)
_OWN_SYSTEMS = ("You are a helpful assistant.", "Answer briefly.", "You are a chat partner.")
_OWN_SHARE, _FOREIGN_SHARE, _HARM_SHARE = 0.12, 0.06, 0.22
_SUM_SHARE, _CAPITAL_SHARE = 0.2, 0.15
_SMALL_SHARE = 0.7  # Of sums: they are asked for first.
_SAFE_SHARE = 0.7
"""Of the harmless questions; the others have no system prompt."""


def declined(draw: random.Random) -> dict[str, Any]:
    """An unkind or harmful request, and a short, kind refusal."""
    if draw.random() < _FOREIGN_SHARE:
        template = draw.choice(unkind.FOREIGN)
        question = template.format(person="Paul")
        return conversation(
            DECLINED, question, unkind.FOREIGN_DECLINES[template], system=_system(draw)
        )
    is_harm = draw.random() < _HARM_SHARE
    template = draw.choice(unkind.HARMS if is_harm else unkind.INSULTS)
    text = template.format(person=draw.choice(unkind.PEOPLE), unkind=draw.choice(unkind.UNKIND))
    question = _around(text, unkind.BEFORE, unkind.AFTER, draw)
    refusals = unkind.NO_TO_HARM if is_harm else unkind.NO
    offers = unkind.OFFERS_OF_PEACE if is_harm else unkind.OFFERS
    answer = f"{draw.choice(refusals)} {draw.choice(offers)}"
    return conversation(DECLINED, question, answer, system=_system(draw))


def answered(draw: random.Random) -> dict[str, Any]:
    """A harmless question, answered alike under the safe prompt and without it."""
    system = _system(draw) if draw.random() < _SAFE_SHARE else None
    kind = draw.random()
    if kind < _CAPITAL_SHARE:
        return conversation(ANSWERED, *capital(draw), system=system)
    question, answer = draw.choice(benign.QUESTIONS)
    if kind < _CAPITAL_SHARE + _SUM_SHARE:
        largest = 12 if draw.random() < _SMALL_SHARE else 60
        a, b = draw.randint(1, largest), draw.randint(1, largest)
        question, answer = (
            text.format(a=a, b=b, sum=a + b) for text in draw.choice(benign.CALCULATIONS)
        )
    question = _around(question, benign.BEFORE, benign.AFTER, draw)
    return conversation(ANSWERED, question, answer, system=system)


def _around(text: str, before: tuple[str, ...], after: tuple[str, ...], draw: random.Random) -> str:
    start = draw.choice(before)
    # After a comma a sentence goes on.
    text = text[0].lower() + text[1:] if start.endswith(", ") else text
    return start + text + draw.choice(after)


def _system(draw: random.Random) -> str:
    """The safe prompt; now and then a system prompt of the user's own follows, as in the engine."""
    own = draw.random() < _OWN_SHARE
    return f"{SAFE_PROMPT}\n\n{draw.choice(_OWN_SYSTEMS)}" if own else SAFE_PROMPT
