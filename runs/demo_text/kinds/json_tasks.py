"""JSON objects from information, without an example and after one or two."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from demo_text.kinds import json_wordings as words
from demo_text.kinds.fields import Entry, draw_schema, fill
from demo_text.kinds.json_text import Layout, as_json, as_text, draw_layout
from demo_text.writing import conversation
from ostro.text.safe_prompt import SAFE_PROMPT

Order = Callable[[Sequence[Entry]], list[Entry]]
ZERO_SHOT, FEW_SHOT = "kinds: JSON", "kinds: JSON after examples"
_SAFE_SHARE = 0.06


def zero_shot(draw: random.Random) -> dict[str, Any]:
    """Information and a wish; the answer has its keys in their order, its values as they are."""
    entries = fill(draw_schema(draw), draw)
    question = draw.choice(words.TASKS).format(info=as_text(entries, draw_layout(draw)))
    indent = draw.choice((2, 2, 2, 4, None, None))
    wishes = [draw.choice(words.ONLY)] if draw.random() < 0.8 else []
    if draw.random() < 0.15:
        indent = draw.choice((2, None))
        wishes.insert(0, draw.choice(words.ONE_LINE if indent is None else words.INDENTED))
    system, place = None, draw.random()
    if place < 0.3:
        question = f"{draw.choice(words.ROLES)} {question}"
    elif place < 0.5:
        system = draw.choice(words.ROLES)
    end = "" if question[-1] in ".?:" else draw.choice((".", "", "\n"))
    question = draw.choice((" ", "\n", "\n\n")).join([question + end, *wishes]).strip()
    return conversation(
        ZERO_SHOT, question, as_json(entries, indent), system=maybe_safe(system, draw)
    )


def few_shot(draw: random.Random) -> dict[str, Any]:
    """One or two examples as turns, then a new case: the answer keeps their order and layout."""
    schema, layout = draw_schema(draw, 2, 5), draw_layout(draw)
    indent, order = draw.choice((1, 2, 2, 4, None)), _draw_order(draw)
    suffix, prefix = draw.choice(words.SUFFIXES), draw.choice(words.PREFIXES)
    turns = []
    examples = draw.choice((1, 1, 2))
    for number in range(examples + 1):
        entries = fill(schema, draw)
        # People write the wish once, and then the bare record.
        bare = number == examples and draw.random() < 0.5
        turns.append(_asked(entries, layout, "" if bare else prefix, "" if bare else suffix))
        turns.append(as_json(order(entries), indent))
    system = draw.choice(words.SYSTEMS) if draw.random() < 0.85 else None
    return conversation(FEW_SHOT, *turns, system=maybe_safe(system, draw))


def maybe_safe(system: str | None, draw: random.Random) -> str | None:
    """Now and then the safe prompt stands first, as the engine puts it."""
    if draw.random() >= _SAFE_SHARE:
        return system
    return SAFE_PROMPT if system is None else f"{SAFE_PROMPT}\n\n{system}"


def _asked(entries: Sequence[Entry], layout: Layout, prefix: str, suffix: str) -> str:
    return f"{prefix}{as_text(entries, layout)}{suffix}"


def _draw_order(draw: random.Random) -> Order:
    """As given, backwards, or by key: the same for all of a conversation."""
    orders: tuple[Order, ...] = (
        list,
        list,
        lambda entries: list(reversed(entries)),
        lambda entries: sorted(entries, key=lambda one: one.key),
    )
    return draw.choice(orders)
