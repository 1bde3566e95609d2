"""How likely a model finds continuations of given texts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.asking import finished
from ostro.runtime.progress import Progress


@dataclass(frozen=True)
class Continuation:
    """A text in tokens, of which the last ``scored`` are to be judged."""

    token_ids: tuple[int, ...]
    scored: int


@dataclass(frozen=True)
class Likelihood:
    """What a model thinks of a continuation."""

    logprob: float
    """Natural logarithm of its probability, summed over its tokens."""
    is_greedy: bool
    """Whether each of its tokens was the likeliest."""


def likelihoods(
    llm: LLM, continuations: Sequence[Continuation], progress: Progress, label: str = "scoring"
) -> Iterator[tuple[int, Likelihood]]:
    """The number of each continuation with its likelihood, in the order in which they are done.

    Continuations of the same beginning read it once.
    """
    for one in continuations:
        _check(one, llm.context)
    # Neighbours in this order share the most.
    order = sorted(range(len(continuations)), key=lambda number: continuations[number].token_ids)
    requests = [_request(continuations[number]) for number in order]
    for place, (answer,) in finished(llm, requests, progress, label):
        report = answer.report
        assert report is not None
        judged = report.logprobs
        assert len(judged) == continuations[order[place]].scored
        yield (
            order[place],
            Likelihood(
                math.fsum(token.chosen.logprob for token in judged),
                all(token.rank == 1 for token in judged),
            ),
        )


def _request(continuation: Continuation) -> Request:
    return Request(
        prompt_ids=continuation.token_ids,
        params=SamplingParams(max_tokens=1, prompt_logprobs=0),
        report_from=len(continuation.token_ids) - continuation.scored,
    )


def _check(one: Continuation, context: int) -> None:
    if not 0 < one.scored < len(one.token_ids):
        raise OstroError("a continuation needs a token, and one before it")
    if len(one.token_ids) >= context:
        raise OstroError(
            f"a text has {len(one.token_ids)} tokens and the context holds {context}; "
            "shorten it or give a larger --context"
        )
