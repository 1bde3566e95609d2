"""Everyday questions drawn from the templates."""

import random
from string import Formatter

from demo_text.sampled.everyday_tables import FILLINGS, TEMPLATES
from demo_text.sampled.prompt import Prompt

SOURCE = "own templates"


def everyday_prompt(draw: random.Random) -> Prompt:
    """A question, or small talk."""
    template = draw.choice(TEMPLATES)
    return Prompt(template.format(**_values(template, draw)), SOURCE)


def _values(template: str, draw: random.Random) -> dict[str, str]:
    """A value for each slot; ``topic2`` is another topic than ``topic``."""
    values: dict[str, str] = {}
    for _, slot, _, _ in Formatter().parse(template):
        if slot in ("a", "b"):
            values[slot] = str(draw.randint(2, 99))
        elif slot:
            known = set(values.values())
            words = [word for word in FILLINGS[slot.rstrip("2")] if word not in known]
            values[slot] = draw.choice(words)
    return values
