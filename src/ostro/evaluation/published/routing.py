"""How often Mixtral 8x7B's consecutive tokens share an expert: Table 5 of its paper."""

from dataclasses import dataclass
from typing import Literal

from ostro.evaluation.published.reference import Source

ROUTING = Source(
    name="mixtral-table-5",
    text="Mixtral of Experts, Table 5",
    note="Validation subsets of The Pile; the first, a middle and the last of 32 layers.",
)
LAYERS = (0, 15, 31)
CHANCE_FIRST = 1 / 8
"""That two tokens' first of 8 experts is the same, if experts are drawn."""
CHANCE_ANY = 1 - (6 / 8) * (5 / 7)
"""That two tokens share one of their 2 of 8 experts, if experts are drawn: 46.4 %."""

Choice = Literal["first", "any"]


@dataclass(frozen=True)
class Repetition:
    """The share of positions whose expert is the next one's too."""

    domain: str
    choice: Choice
    """The first expert alone, or one of the two."""
    layer: int
    share: float


_PERCENT = """
ArXiv            | 14.0 27.9 22.7 46.5 62.3 52.9
DM Mathematics   | 14.1 28.4 19.7 44.9 67.0 44.5
Github           | 14.9 28.1 19.7 49.9 66.9 49.2
Gutenberg        | 13.9 26.1 26.3 49.5 63.1 52.2
PhilPapers       | 13.6 25.3 22.1 46.9 61.9 51.3
PubMed Abstracts | 14.2 24.6 22.0 48.6 61.6 51.8
StackExchange    | 13.6 27.2 23.6 48.2 64.6 53.6
Wikipedia (en)   | 14.4 23.6 25.3 49.8 62.1 51.8
"""


def repetitions() -> tuple[Repetition, ...]:
    """All of Table 5, a domain after another."""
    choices: tuple[Choice, ...] = ("first", "any")
    places = [(choice, layer) for choice in choices for layer in LAYERS]
    return tuple(
        Repetition(domain.strip(), choice, layer, round(float(percent) / 100, 3))
        for domain, _, numbers in (line.partition("|") for line in _PERCENT.strip().splitlines())
        for (choice, layer), percent in zip(places, numbers.split(), strict=True)
    )
