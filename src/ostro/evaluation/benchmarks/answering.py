"""Documents asked through the engine; each is scored as soon as its last request is done."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostro.evaluation.benchmarks.harness import EngineHarness, Scored, Written
from ostro.evaluation.benchmarks.loading import Question, prompt_of


@dataclass(frozen=True)
class Outcome:
    """What came of a document."""

    metrics: dict[str, float]
    """lm-eval's, by name."""
    choices: int | None
    """How many there were; None where something was written."""
    cut: int
    """Tokens of its prompt that the context had no room for."""
    answers: list[str]
    """What was written."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "metrics": self.metrics,
            "choices": self.choices,
            "cut": self.cut,
            "answers": self.answers,
        }


@dataclass
class _UnderWay:
    """A document whose requests are not all done."""

    question: Question
    requests: list[Any]
    """lm-eval's instances."""
    cut: int = 0
    open: int = field(init=False)

    def __post_init__(self) -> None:
        self.open = len(self.requests)

    def answered(self, request: int, responses: Sequence[Any]) -> bool:
        """Take the responses to one request; whether this was the last."""
        self.requests[request].resps.extend(responses)
        self.open -= 1
        return self.open == 0


def outcomes(
    harness: EngineHarness, questions: Sequence[Question], filter_name: str, seed: int, label: str
) -> Iterator[tuple[Question, Outcome]]:
    """Each document with what came of it, in the order in which they are done.

    They are documents of one benchmark. ``filter_name`` is that of lm-eval which finds the answer.
    """
    asked = [_UnderWay(question, requests_of(question)) for question in questions]
    if not asked:
        return
    chooses = asked[0].requests[0].request_type == "loglikelihood"
    done = _score(harness, asked, label) if chooses else _write(harness, asked, seed, label)
    for one in done:
        yield one.question, _outcome(one, filter_name)


def requests_of(question: Question) -> list[Any]:
    """lm-eval's instances of a document."""
    task = question.task
    made = task.construct_requests(
        doc=question.document,
        ctx=prompt_of(task, question.document),
        metadata=(task.config.task, question.number, task.config.repeats),
    )
    return made if isinstance(made, list) else [made]


def _score(harness: EngineHarness, asked: Sequence[_UnderWay], label: str) -> Iterator[_UnderWay]:
    places, scored = _flat(asked), list[Scored]()
    for document, request in places:
        one = harness.scored(*asked[document].requests[request].args)
        asked[document].cut = max(asked[document].cut, one.cut)
        scored.append(one)
    for number, likelihood in harness.score(scored, label):
        document, request = places[number]
        response = (likelihood.logprob, likelihood.is_greedy)
        if asked[document].answered(request, [response]):
            yield asked[document]


def _write(
    harness: EngineHarness, asked: Sequence[_UnderWay], seed: int, label: str
) -> Iterator[_UnderWay]:
    places, written = _flat(asked), list[Written]()
    for document, request in places:
        context, options = asked[document].requests[request].args
        question = asked[document].question
        own = _own_seed(seed, question.name)
        one = harness.written(context, options, own, question.task.config.repeats)
        asked[document].cut = max(asked[document].cut, one.cut)
        written.append(one)
    for number, answers in harness.write(written, label):
        document, request = places[number]
        if asked[document].answered(request, answers):
            yield asked[document]


def _flat(asked: Sequence[_UnderWay]) -> list[tuple[int, int]]:
    """Every request: which document's it is, and which of that."""
    return [(n, request) for n, one in enumerate(asked) for request in range(len(one.requests))]


def _own_seed(seed: int, name: str) -> int:
    """Another for every document, the same whatever was asked before it."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8])


def _outcome(one: _UnderWay, filter_name: str) -> Outcome:
    """lm-eval's scores of a document whose requests are done."""
    task = one.question.task
    # lm-eval's filters work on the requests that a task holds.
    task._instances = one.requests
    task.apply_filters()
    task._instances = None
    found = [request.filtered_resps[filter_name] for request in one.requests]
    metrics = task.process_results(one.question.document, found)
    chooses = one.requests[0].request_type == "loglikelihood"
    return Outcome(
        metrics={name: float(value) for name, value in metrics.items()},
        choices=len(one.requests) if chooses else None,
        cut=one.cut,
        answers=[] if chooses else list(one.requests[0].resps),
    )
