"""Conversations with a question that can only be understood from what was said before."""

import random
import re
from typing import Any

from demo_text.kinds.json_tasks import maybe_safe
from demo_text.kinds.topics import Ask, Row, Topic
from demo_text.kinds.topics_kitchen import KITCHEN
from demo_text.kinds.topics_life import LIFE
from demo_text.writing import conversation

SOURCE = "kinds: a question back"
TOPICS: tuple[Topic, ...] = (*KITCHEN, *LIFE)
_ENOUGH = ("Thanks!", "I see, thank you.", "Ah, okay.", "Got it.", "Great, thanks.")
_WELCOME = ("You're welcome!", "My pleasure.", "Glad to help!", "Any time!", "Happy to help.")
_SYSTEMS = (
    "You are a friendly assistant.",
    "Answer briefly.",
    "You like to chat about everyday things.",
    "You are a helpful assistant. Keep your answers short.",
)
_SLOT = re.compile(r"\{(\w+)(\^?)\}")


def follow_up(draw: random.Random) -> dict[str, Any]:
    """An opening, a statement, and one or two short questions about it."""
    topic = draw.choice(TOPICS)
    row = draw.choice(topic.rows)
    turns = [_say(draw.choice(topic.openings), row), _say(draw.choice(topic.statements), row)]
    for ask in draw.sample(topic.asks, draw.choice((1, 1, 1, 2))):
        turns += _asked(ask, row, draw)
    if draw.random() < 0.08:
        turns += [draw.choice(_ENOUGH), draw.choice(_WELCOME)]
    system = draw.choice(_SYSTEMS) if draw.random() < 0.2 else None
    return conversation(SOURCE, *turns, system=maybe_safe(system, draw))


def _asked(ask: Ask, row: Row, draw: random.Random) -> list[str]:
    question = _say(draw.choice(ask.questions), row)
    start = draw.choice(("", "", "", "", "Sorry, ", "Wait, ", "Hm, "))
    if start:
        question = start + question[0].lower() + question[1:]
    return [question, _say(draw.choice(ask.answers), row)]


def _say(template: str, row: Row) -> str:
    """The template with the row's words; ``{word^}`` begins with a capital."""

    def word(match: re.Match[str]) -> str:
        text = row[match[1]]
        return text[0].upper() + text[1:] if match[2] else text

    return _SLOT.sub(word, template)
