"""Requests run for their routing: the experts of every token, sequence by sequence.

Every answer is a sequence of its own, and holds what its request asks for. A token of the prompt
has the routing of the row that read it. A token of the answer has that of the step that chose it,
which is the row that read the token before. So the last row of a prompt is told twice: as the last
token of the prompt and as the first of the answer.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ostro.engine.answer import Answer
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request, TokenRouting
from ostro.errors import OstroError
from ostro.model.steering import Steering
from ostro.runtime.progress import Progress

Part = Literal["prompt", "answer"]
_MOST_TOKENS = 1024  # In one RoutedTokens.
_AT_ONCE = 16  # Answers under way; those behind a long one wait for it in memory.


@dataclass(frozen=True, kw_only=True, eq=False)
class RoutedTokens:
    """Some consecutive tokens of one part of a sequence."""

    sequence: int
    part: Part
    first: int
    """Position of the first of them in the sequence, from 0."""
    token_ids: Sequence[int]
    experts_TLK: Tensor
    """Best first; -1 stands in slots that a row did not use."""
    weights_TLK: Tensor
    repeats: bool
    """Whether the first row was told before: by the prompt, or by another answer to it."""


def text_requests(
    llm: LLM, text: str, *, raw: bool = False, steering: Steering | None = None
) -> list[Request]:
    """Requests that read ``text`` and answer nothing, in windows of the context.

    Each window begins as a text of its own does. With ``raw``, ``<s>`` and ``</s>`` are BOS and
    EOS, and nothing is put in front.
    """
    ids = llm.encode(text, raw=raw)
    beginning = [] if raw else llm.encode("")
    body = ids[len(beginning) :]
    room = llm.context - 1 - len(beginning)  # The engine wants room for one token more.
    if room < 1 or not body:
        raise OstroError("there is nothing to read: the text is empty, or the context too small")
    return [
        Request(
            prompt_ids=[*beginning, *body[start : start + room]],
            params=SamplingParams(max_tokens=1),
            prompt_routing=True,
            steering=steering,
        )
        for start in range(0, len(body), room)
    ]


def routed_tokens(
    llm: LLM, requests: Sequence[Request], progress: Progress
) -> Iterator[RoutedTokens]:
    """Run the requests together; their tokens in the order of the requests."""
    _check(llm, requests)
    for sequence, answer in enumerate(_finished(llm, requests, progress)):
        if answer.error is not None:
            raise answer.error
        yield from _of_answer(sequence, answer)


def _check(llm: LLM, requests: Sequence[Request]) -> None:
    """Refuse what cannot be served or has no routing to tell, before anything runs."""
    if not llm.model.geometry.is_sparse:
        raise OstroError(f"{llm.name} is dense: it has no router, so there is no routing to tell")
    if not requests:
        raise OstroError("there is nothing to run: give at least one request")
    for number, request in enumerate(requests):
        if not (request.routing or request.prompt_routing):
            raise OstroError(
                f"request {number} asks for no routing; "
                "make it with routing=True, prompt_routing=True, or both"
            )
        llm.core.prepare(request)


def _finished(llm: LLM, requests: Sequence[Request], progress: Progress) -> Iterator[Answer]:
    """The answers in order, each when it and all before it are finished."""
    core, waiting = llm.core, deque(requests)
    under_way: deque[Answer] = deque()
    passed = shown = 0
    with progress.task("routing", sum(_most_tokens(llm, one) for one in requests), "items") as show:
        try:
            while waiting or under_way:
                while waiting and len(under_way) < _AT_ONCE:
                    answers = core.prepare(waiting.popleft())
                    core.enter(answers)
                    under_way.extend(answers)
                core.step()
                done = passed + sum(_done(answer) for answer in under_way)
                show(max(done - shown, 0))  # A preempted answer begins again.
                shown = max(done, shown)
                while under_way and under_way[0].is_finished:
                    passed += under_way[0].limit
                    yield under_way.popleft()
        finally:
            core.cancel(under_way)


def _most_tokens(llm: LLM, request: Request) -> int:
    """Of all its answers with their prompts."""
    length = len(request.prompt_ids)
    most = llm.context - length
    return request.params.n * (length + min(most, request.params.max_tokens or most))


def _done(answer: Answer) -> int:
    return answer.limit if answer.is_finished else answer.computed


def _of_answer(sequence: int, answer: Answer) -> Iterator[RoutedTokens]:
    """The prompt, if it was asked for and this is the first answer to it; then the answer."""
    request, pieces = answer.request, list(answer.take())
    told = request.prompt_routing or answer.choice > 0
    if request.prompt_routing and answer.report is not None:
        routing = answer.report.routing
        yield from _parts(sequence, "prompt", 0, request.prompt_ids, routing, told=False)
    if request.routing:
        ids = [piece.token_id for piece in pieces]
        rows = [piece.routing for piece in pieces if piece.routing is not None]
        yield from _parts(sequence, "answer", answer.prompt_length, ids, rows, told=told)


def _parts(
    sequence: int,
    part: Part,
    first: int,
    ids: Sequence[int],
    routing: Sequence[TokenRouting],
    *,
    told: bool,
) -> Iterator[RoutedTokens]:
    assert len(ids) == len(routing), "every token that was asked about has its routing"
    for start in range(0, len(ids), _MOST_TOKENS):
        rows = routing[start : start + _MOST_TOKENS]
        yield RoutedTokens(
            sequence=sequence,
            part=part,
            first=first + start,
            token_ids=ids[start : start + _MOST_TOKENS],
            experts_TLK=_stacked([row.experts_LK for row in rows], -1),
            weights_TLK=_stacked([row.weights_LK for row in rows], 0),
            repeats=told and start == 0,
        )


def _stacked(rows: Sequence[Tensor], nothing: int) -> Tensor:
    """Rows ``[L, K]`` as ``[T, L, K]``; K depends on what else was in a row's step."""
    slots = max(row.shape[1] for row in rows)
    return torch.stack([F.pad(row, (0, slots - row.shape[1]), value=nothing) for row in rows]).cpu()
