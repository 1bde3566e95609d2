"""Reading and writing apart, timed through the engine.

First every prompt is read and its first token chosen; then the same prompts, which are known now,
are continued all at once. Nothing is guessed ahead, so that a step is a token of every sequence.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostro.config.plan import PREFILL_CHUNK
from ostro.engine.answer import Answer
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.engine.scheduler import StepBudget
from ostro.errors import OstroError
from ostro.model import PAGE_SLOTS
from ostro.model.steering import Steering


@dataclass(frozen=True)
class Phases:
    """Seconds of one run."""

    prefill: float
    """Until all prompts were read and had their first token."""
    decode: float
    """Of the steps that followed, in each of which every sequence got a token."""

    def to_list(self) -> list[float]:
        """Plain values, for JSON."""
        return [self.prefill, self.decode]


@dataclass(frozen=True)
class Spread:
    """A median, and the least and the most of the values."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"median": self.median, "least": self.least, "most": self.most}


class PhaseTimer:
    """An engine with room for so many prompts of one length, and for their answers."""

    def __init__(self, llm: LLM, *, prompt: int, batch: int, steps: int) -> None:
        """``steps`` are those that are timed while writing. ``llm`` must read all of it."""
        self.steps = steps
        # While the last prompts get their first token, the first ones have several already.
        self._answer = steps + 2 + _reading_steps(batch)
        context = prompt + self._answer + 1
        if context > llm.context:
            raise OstroError(
                f"{llm.name}: a prompt of {prompt} tokens and its answer need a context of "
                f"{context}, and it is {llm.context}; give shorter prompts or a larger --context"
            )
        self._core = EngineCore(
            llm.model,
            llm.tokenizer,
            context=context,
            cache_tokens=batch * (context + 2 * PAGE_SLOTS),
            cache_type=llm.cache.type.name,
            budget=StepBudget(
                answers=batch, tokens=PREFILL_CHUNK, tokens_while_writing=max(batch, PREFILL_CHUNK)
            ),
            speculate=False,
            lock=llm.lock,
        )

    @classmethod
    def context(cls, *, prompt: int, batch: int, steps: int) -> int:
        """Tokens that a model must be able to read at once for it."""
        return prompt + steps + 3 + _reading_steps(batch)

    def run(self, prompts: Sequence[Sequence[int]], steering: Steering | None = None) -> Phases:
        """Time one run, which knows nothing of those before. No prompt may begin another."""
        self._core.reset()
        start = time.perf_counter()
        reading = self._enter(prompts, 1, steering)
        while not all(answer.is_finished for answer in reading):
            self._core.step()
        prefill = time.perf_counter() - start
        _raise_error(reading)
        return Phases(prefill, self._decode(prompts, steering))

    def _decode(self, prompts: Sequence[Sequence[int]], steering: Steering | None) -> float:
        answers = self._enter(prompts, self._answer, steering)
        while not all(answer.generated or answer.is_finished for answer in answers):
            self._core.step()
        start = time.perf_counter()
        for _ in range(self.steps):
            self._core.step()
        seconds = time.perf_counter() - start
        _raise_error(answers)
        assert not any(answer.is_finished for answer in answers), "every step had every sequence"
        self._core.cancel(answers)
        return seconds

    def _enter(
        self, prompts: Sequence[Sequence[int]], tokens: int, steering: Steering | None
    ) -> list[Answer]:
        params = SamplingParams(max_tokens=tokens, ignore_eos=True)
        requests = (
            Request(prompt_ids=list(ids), params=params, steering=steering) for ids in prompts
        )
        return [answer for request in requests for answer in self._core.add(request)]


def rotated_prompts(
    ids: Sequence[int], *, beginning: Sequence[int], count: int, length: int
) -> list[list[int]]:
    """Prompts of one length from a text, each begun at another place of it and then in a circle.

    ``beginning`` stands in front of each, as BOS does. An OstroError if the text is too short for
    so many different ones.
    """
    if len(ids) < count:
        raise OstroError(f"a text of {len(ids)} tokens is too short for {count} different prompts")
    stride, body = len(ids) // count, length - len(beginning)
    starts = range(0, stride * count, stride)
    return [[*beginning, *(ids[(start + n) % len(ids)] for n in range(body))] for start in starts]


def _reading_steps(batch: int) -> int:
    """Steps in which the rest of so many known prompts is read, a page each at most."""
    return -(-batch * PAGE_SLOTS // PREFILL_CHUNK)


def _raise_error(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if answer.error is not None:
            raise answer.error
