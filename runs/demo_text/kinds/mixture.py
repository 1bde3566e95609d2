"""All kinds of tasks in one stream, each with its share."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from demo_text.kinds.code_tasks import code_task
from demo_text.kinds.follow_up import follow_up
from demo_text.kinds.guard_rail import answered, declined
from demo_text.kinds.json_tasks import few_shot, zero_shot

Make = Callable[[random.Random], dict[str, Any]]

KINDS: tuple[tuple[Make, float], ...] = (
    (zero_shot, 0.26),
    (few_shot, 0.09),
    (follow_up, 0.17),
    (code_task, 0.14),
    (declined, 0.12),
    (answered, 0.22),
)
"""With their shares of conversations."""


def kinds_records(seed: int) -> Iterator[dict[str, Any]]:
    """Conversations without end; none comes twice."""
    draw = random.Random(f"{seed}/kinds")
    makers, weights = [make for make, _ in KINDS], [weight for _, weight in KINDS]
    known: set[str] = set()
    while True:
        (make,) = draw.choices(makers, weights)
        record = make(draw)
        text = repr(record["messages"])
        if text not in known:
            known.add(text)
            yield record
