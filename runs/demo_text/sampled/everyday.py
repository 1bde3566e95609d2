"""Everyday questions drawn from the templates."""

import random
from string import Formatter

from demo_text.sampled.everyday_tables import FILLINGS, LANGUAGE_SHARES, TEMPLATES
from demo_text.sampled.prompt import Prompt

SOURCE = "own templates"


def everyday_prompt(draw: random.Random) -> Prompt:
    """A question, or small talk, in one of five languages."""
    languages = list(LANGUAGE_SHARES)
    (lang,) = draw.choices(languages, [LANGUAGE_SHARES[one] for one in languages])
    template = draw.choice(TEMPLATES[lang])
    return Prompt(template.format(**_values(template, lang, draw)), lang, SOURCE)


def _values(template: str, lang: str, draw: random.Random) -> dict[str, str]:
    """A value for each slot; ``topic2`` is another topic than ``topic``."""
    values: dict[str, str] = {}
    for _, slot, _, _ in Formatter().parse(template):
        if slot in ("a", "b"):
            values[slot] = str(draw.randint(2, 99))
        elif slot:
            known = set(values.values())
            words = [word for word in FILLINGS[lang][slot.rstrip("2")] if word not in known]
            values[slot] = draw.choice(words)
    return values
