"""Questions about what stands somewhere in a long prompt, and their answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.evaluation.asking import finished
from ostro.evaluation.results import Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

Encode = Callable[[str], list[int]]
"""Token ids of a prompt, with the beginning that the model wants."""


class Answerer(Protocol):
    """Something that continues prompts: a model, or what stands for one in a test."""

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, progress: Progress, label: str
    ) -> Iterator[tuple[int, str]]:
        """The number of each prompt with its continuation, in the order in which they are done."""
        ...


@dataclass(frozen=True)
class GreedyAnswerer:
    """A model that takes the likeliest token each time."""

    llm: LLM

    def answers(
        self, prompts: Sequence[Sequence[int]], max_tokens: int, progress: Progress, label: str
    ) -> Iterator[tuple[int, str]]:
        """The number of each prompt with its continuation, in the order in which they are done."""
        params = SamplingParams(max_tokens=max_tokens)
        requests = [Request(prompt_ids=ids, params=params, mid_text=True) for ids in prompts]
        for number, (answer,) in finished(self.llm, requests, progress, label):
            yield number, self.llm.gather(answer, answer.take()).text


@dataclass(frozen=True)
class Trial:
    """One question."""

    unit: str
    """Its name among the results."""
    prompt: Callable[[Encode], list[int]]
    """The prompt's token ids."""
    score: Callable[[str], float]
    """What an answer is worth, from 0 to 1."""


def ask(
    trials: Sequence[Trial],
    subject: Subject,
    units: Units,
    progress: Progress,
    *,
    answerer: Callable[[LLM], Answerer],
    max_tokens: int,
    label: str,
) -> None:
    """Ask what is not answered yet; a unit is a trial's answer, its score and its prompt's size."""
    open_trials = [trial for trial in trials if trial.unit not in units]
    if not open_trials:
        return
    llm, prompted = subject.llm, []
    with progress.task("writing prompts", len(open_trials), "items") as advance:
        for trial in open_trials:
            prompted.append((trial.prompt(llm.encode), trial))
            advance(1)
    # Prompts that begin alike are neighbours, and read their beginning once.
    prompted.sort(key=lambda pair: pair[0])
    prompts = [ids for ids, _ in prompted]
    for number, text in answerer(llm).answers(prompts, max_tokens, progress, label):
        ids, trial = prompted[number]
        units.add(trial.unit, {"score": trial.score(text), "answer": text, "tokens": len(ids)})
