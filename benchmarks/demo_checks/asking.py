"""Prompts to a model and its greedy answers, in its own chat template or in Mixtral's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from demo_checks.mixtral_template import mixtral_prompt
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.evaluation.asking import finished
from ostro.evaluation.content_name import content_name
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress
from ostro.text.messages import parse_messages
from ostro.text.safe_prompt import with_safe_prompt

Form = Literal["own", "mixtral"]
FORMS: tuple[Form, ...] = ("own", "mixtral")
"""The model's own chat template, and ``<s>[INST] ... [/INST]`` as text."""
MOST_TOKENS = 256
_TERMS = {"temperature": 0, "max_tokens": MOST_TOKENS}


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A conversation that waits for an answer."""

    name: str
    messages: Sequence[Mapping[str, str]]
    form: Form = "own"
    safe: bool = False
    """Whether the safe prompt stands in front."""

    @property
    def unit(self) -> str:
        """What its answer is kept under; it changes with the words."""
        return content_name(self.name, list(self.messages), self.form, self.safe)


class Asker(Protocol):
    """Something that answers prompts: a model, or what stands for one in a test."""

    def answers(self, prompts: Sequence[Prompt], progress: Progress) -> Iterator[tuple[int, str]]:
        """The number of each prompt with its answer, in the order in which they are done."""
        ...


@dataclass(frozen=True)
class EngineAsker:
    """A model in the engine, which takes the likeliest token each time."""

    subject: Subject = field(repr=False)

    def answers(self, prompts: Sequence[Prompt], progress: Progress) -> Iterator[tuple[int, str]]:
        """The number of each prompt with its answer, in the order in which they are done."""
        llm = self.subject.llm
        params = SamplingParams(temperature=0, max_tokens=MOST_TOKENS)
        requests = [Request(prompt_ids=prompt_ids(llm, one), params=params) for one in prompts]
        label = f"answers of {self.subject.name}"
        for number, (answer,) in finished(llm, requests, progress, label):
            yield number, llm.gather(answer, answer.take()).text


def prompt_ids(llm: LLM, prompt: Prompt) -> list[int]:
    """The tokens that the model is given."""
    messages = parse_messages(prompt.messages)
    if prompt.safe:
        messages = with_safe_prompt(messages)
    if prompt.form == "own":
        return llm.encode_chat(messages)
    return llm.encode(mixtral_prompt(messages), raw=True)


def answers_of(
    asker: Asker, key: str, prompts: Sequence[Prompt], results: Results, progress: Progress
) -> list[str]:
    """The answers to all prompts, in order; those that are known already are not asked again."""
    with results.open(key, "demo-answers", _TERMS) as units:
        missing = list({one.unit: one for one in prompts if one.unit not in units}.values())
        if missing:
            for number, text in asker.answers(missing, progress):
                units.add(missing[number].unit, text)
        return [units[one.unit] for one in prompts]
