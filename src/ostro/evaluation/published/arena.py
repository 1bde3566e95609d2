"""Chatbot Arena's leaderboard, where people choose between two answers, as it stood twice."""

from collections.abc import Iterator
from dataclasses import dataclass

from ostro.evaluation.published.reference import Column, Reference, Source, read_table

ARENA = Source(
    name="mixtral-chatbot-arena",
    text="LMSYS Chatbot Arena, as the guide's mixtral-chatbot-arena shows it",
)
ARENA_IN_PAPER = Source(
    name="mixtral-figure-6",
    text="LMSYS Chatbot Arena on 22 December 2023, as Mixtral of Experts shows it, Figure 6",
    note="An earlier state of the leaderboard than the guide's picture.",
)
ELO = Column(benchmark="Chatbot Arena", is_share=False)
"""Elo points."""


@dataclass(frozen=True)
class Place:
    """A line of the leaderboard."""

    rank: int
    model: str
    elo: int
    above: int
    """The 95 % interval reaches so many points above, and ``below`` points below."""
    below: int
    votes: int
    organization: str
    license: str


def places() -> tuple[Place, ...]:
    """The leaderboard of the guide's picture, best first."""
    return (
        Place(1, "GPT-4-Turbo", 1249, 13, 13, 30268, "OpenAI", "Proprietary"),
        Place(2, "Bard (Gemini Pro)", 1215, 16, 15, 3014, "Google", "Proprietary"),
        Place(3, "GPT-4-0314", 1189, 14, 12, 18062, "OpenAI", "Proprietary"),
        Place(4, "GPT-4-0613", 1161, 13, 13, 27441, "OpenAI", "Proprietary"),
        Place(5, "Mistral Medium", 1150, 15, 15, 11480, "Mistral", "Proprietary"),
        Place(6, "Claude-1", 1150, 13, 13, 17630, "Anthropic", "Proprietary"),
        Place(7, "Claude-2.0", 1131, 14, 13, 11698, "Anthropic", "Proprietary"),
        Place(8, "Mixtral-8x7b-Instruct-v0.1", 1123, 14, 13, 14165, "Mistral", "Apache 2.0"),
        Place(9, "Gemini Pro (Dev API)", 1122, 15, 16, 6332, "Google", "Proprietary"),
        Place(10, "Claude-2.1", 1119, 14, 13, 23323, "Anthropic", "Proprietary"),
        Place(11, "GPT-3.5-Turbo-0613", 1117, 14, 13, 30326, "OpenAI", "Proprietary"),
    )


_IN_PAPER = """
GPT-4-Turbo                | 1243
GPT-4-0314                 | 1192
GPT-4-0613                 | 1158
Claude-1                   | 1149
Claude-2.0                 | 1131
Mixtral-8x7b-Instruct-v0.1 | 1121
Claude-2.1                 | 1117
GPT-3.5-Turbo-0613         | 1117
Gemini Pro                 | 1111
Llama-2-70b-chat           | 1077
"""


def arena() -> Iterator[Reference]:
    """Elo points in both states of the leaderboard, the guide's first."""
    for place in places():
        yield Reference(
            model=place.model, column=ELO, value=float(place.elo), digits=0, source=ARENA
        )
    yield from read_table(ARENA_IN_PAPER, (ELO,), _IN_PAPER)
