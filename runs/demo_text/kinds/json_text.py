"""Information as text, and the JSON object that it stands for."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from demo_text.kinds.fields import Entry


@dataclass(frozen=True)
class Layout:
    """How information is written."""

    between: str
    """Key and value."""
    fields: str
    """Two fields."""
    before: str = ""
    """Before each field."""


INLINE = (
    Layout(": ", " "),
    Layout(": ", " "),
    Layout(": ", ", "),
    Layout(": ", "; "),
    Layout(" = ", ", "),
    Layout("=", " "),
    Layout(": ", " | "),
    Layout(" - ", "; "),
    Layout(" is ", ", "),
)
LINES = (
    Layout(": ", "\n"),
    Layout(": ", "\n"),
    Layout(": ", "\n "),
    Layout(": ", "\n", "- "),
    Layout(" = ", "\n"),
    Layout(":", "\n"),
    Layout(": ", "\n", "* "),
    Layout("\t", "\n"),
)


def draw_layout(draw: random.Random) -> Layout:
    """Inline or on lines."""
    return draw.choice(draw.choice((INLINE, LINES)))


def as_text(entries: Sequence[Entry], layout: Layout) -> str:
    """The information."""
    parts = [f"{layout.before}{one.key}{layout.between}{one.value}" for one in entries]
    return layout.fields.join(parts)


def as_json(entries: Sequence[Entry], indent: int | None) -> str:
    """A JSON object with the keys in their order, on one line or indented.

    Numbers are copied digit by digit: 12.50 stays 12.50.
    """
    members = [
        f"{_quoted(one.key)}: {one.value if one.is_number else _quoted(one.value)}"
        for one in entries
    ]
    if indent is None:
        return "{" + ", ".join(members) + "}"
    space = "\n" + " " * indent
    return "{" + space + f",{space}".join(members) + "\n}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
