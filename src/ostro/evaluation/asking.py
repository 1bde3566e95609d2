"""Many requests through the engine, each taken as soon as it is finished."""

from collections import deque
from collections.abc import Iterator, Sequence

from ostro.engine.answer import Answer
from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.runtime.progress import Progress

_UNDER_WAY = 96
"""Requests that the engine knows of at once; it computes a third of them together."""


def finished(
    llm: LLM, requests: Sequence[Request], progress: Progress, label: str
) -> Iterator[tuple[int, list[Answer]]]:
    """The number of each request with its answers, in the order in which they end.

    Requests begin in the order given: those that share a beginning should be neighbours. An answer
    that failed raises its error. Whoever stops early leaves nothing running.
    """
    core, waiting = llm.core, deque(enumerate(requests))
    under_way: dict[int, list[Answer]] = {}
    with progress.task(label, len(requests), "items") as advance:
        try:
            while waiting or under_way:
                while waiting and len(under_way) < _UNDER_WAY:
                    number, request = waiting.popleft()
                    under_way[number] = core.add(request)
                core.step()
                ended = [n for n, group in under_way.items() if all(a.is_finished for a in group)]
                for number in ended:
                    answers = under_way.pop(number)
                    _raise_error(answers)
                    yield number, answers
                    advance(1)
        finally:
            core.cancel(answer for group in under_way.values() for answer in group)


def _raise_error(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if answer.error is not None:
            raise answer.error
