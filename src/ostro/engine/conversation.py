"""A conversation that must fit into the context: the oldest turns go first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ostro.errors import OstroError
from ostro.text.messages import Message


@dataclass(frozen=True)
class Fitted:
    """What is left of a conversation."""

    messages: list[Message]
    dropped: int
    """How many turns (a question and its answer) were left out."""


def fit_conversation(
    messages: Sequence[Message],
    encode: Callable[[Sequence[Message]], Sequence[int]],
    room: int,
) -> Fitted:
    """Drop the oldest turns until ``encode(messages)`` has at most ``room`` tokens.

    System messages at the beginning and the last turn always stay; a last turn that is too long
    by itself is an error.
    """
    kept, dropped = list(messages), 0
    while len(encode(kept)) > room:
        first = next((i for i, m in enumerate(kept) if m.role != "system"), len(kept))
        following = (i for i in range(first + 1, len(kept)) if kept[i].role == "user")
        second = next(following, None)
        if second is None:
            raise OstroError(
                f"the message has {len(encode(kept))} tokens and {room} fit; "
                "shorten it or give a larger --context"
            )
        del kept[first:second]
        dropped += 1
    return Fitted(kept, dropped)
