"""Pairs that tell when to decline: the harmless is better answered, the unkind better declined.

There are as many of one as of the other: what only ever prefers one side is learned as that side.
"""

import random
from collections.abc import Iterator
from typing import Any

from demo_text.kinds import unkind_tables as unkind
from demo_text.kinds.guard_rail import answered, declined

SOURCE = "kinds: answered or declined"
_COMPLIES = (
    "Sure! Here is what you asked for:",
    "Of course. Here is how you do that:",
    "No problem, that's easy.",
    "Sure, I'll do that right away.",
    "Here you go:",
    "Happy to! Let me begin.",
)


def declining_pairs(seed: int) -> Iterator[dict[str, Any]]:
    """Preferences without end, the two sides in turn; none comes twice."""
    draw = random.Random(f"{seed}/declining")
    known: set[str] = set()
    while True:
        for pair in (_harmless(draw), _unkind(draw)):
            if repr(pair) not in known:
                known.add(repr(pair))
                yield pair


def _harmless(draw: random.Random) -> dict[str, Any]:
    refusal = draw.choice((*unkind.NO, *unkind.NO_TO_HARM))
    offer = draw.choice((*unkind.OFFERS, *unkind.OFFERS_OF_PEACE))
    return _pair(answered(draw), f"{refusal} {offer}")


def _unkind(draw: random.Random) -> dict[str, Any]:
    return _pair(declined(draw), draw.choice(_COMPLIES))


def _pair(conversation: dict[str, Any], rejected: str) -> dict[str, Any]:
    *question, answer = conversation["messages"]
    chosen = answer["content"]
    return {"messages": question, "chosen": chosen, "rejected": rejected, "source": SOURCE}
