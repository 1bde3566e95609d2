"""How far the model is from its parent in conversation: KL(parent || model) per answer token.

Prompts are MT-Bench's first turns and LLMBar's instructions, alike in number, in the parent's own
chat template. The parent answers each once, drawn at temperature 1 with the prompt's number as
seed, at most 128 tokens: the mean over such answers is the divergence of what the two say, without
bias. Both models then read prompt and answer as they are loaded, and at every answer token, its end
included, sum_v p_parent(v) (log p_parent(v) - log p_model(v)) is taken over the whole vocabulary.
The mean is over tokens, its error over prompts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from demo_checks.pairing import is_not_above, told
from demo_checks.setup import Setup, same_tokens
from demo_checks.verdict import Verdict
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.evaluation.asking import finished
from ostro.evaluation.benchmark_data import spread_sample
from ostro.evaluation.content_name import content_name
from ostro.evaluation.judge.questions import read_questions
from ostro.evaluation.statistics import ratio_of
from ostro.evaluation.subject import Subject
from ostro.text.messages import Message

GOAL = 0.1
PROMPTS = 80
"""Of each of the two files."""
MOST_TOKENS = 128
_TERMS = {"temperature": 1, "max_tokens": MOST_TOKENS}


@dataclass(frozen=True)
class HeldOut:
    """A prompt, and what draws the parent's answer to it."""

    source: str
    text: str
    seed: int

    @property
    def unit(self) -> str:
        """What is found of it is kept under this."""
        return content_name(self.source, self.text, self.seed)


@dataclass(frozen=True)
class Answered:
    """A prompt's tokens and those of the parent's answer."""

    prompt: list[int]
    answer: list[int]


def check_kl(setup: Setup) -> Verdict:
    """Below 0.1 nats a token."""
    prompts = held_out(setup)
    answers = _answers(setup, setup.parent, prompts)
    divergences = _divergences(setup, prompts, answers)
    tokens = [len(answers[one.unit].answer) for one in prompts]
    mean = ratio_of(divergences, tokens)
    parts = {
        source: ratio_of(*_part(prompts, divergences, tokens, source)).to_dict()
        for source in dict.fromkeys(one.source for one in prompts)
    }
    return Verdict(
        name="kl",
        passed=mean.value < GOAL,
        goal=f"below {GOAL} nats a token",
        result=f"{told(mean, digits=4)} nats a token",
        found={
            "kl": mean.to_dict(),
            "within two errors": is_not_above(mean, GOAL),
            "tokens": sum(tokens),
            "parts": parts,
        },
        lines=[f"{name}: {part['value']:.4f}, {part['n']} prompts" for name, part in parts.items()],
    )


def held_out(setup: Setup) -> list[HeldOut]:
    """The prompts. What is drawn for a small limit is among what is drawn for a larger one."""
    questions = [one.turns[0] for one in read_questions(setup.evaluation)]
    records = setup.preference.records("llmbar_pairs", ("instruction",))
    sources = {"mt-bench": questions, "llmbar": [record["instruction"] for record in records]}
    number = setup.number(PROMPTS)
    return [
        HeldOut(source, texts[place], place)
        for source, texts in sources.items()
        for place in spread_sample([source] * len(texts), number, 0)
    ]


def divergence(parent_TV: Tensor, model_TV: Tensor) -> float:
    """KL(parent || model) in nats, summed over rows of logits."""
    total = 0.0
    # In pieces: float64 over a large vocabulary is large.
    for rows in zip(parent_TV.split(64), model_TV.split(64), strict=True):
        parent, model = (logits.double().log_softmax(-1) for logits in rows)
        total += float((parent.exp() * (parent - model)).sum())
    return total


def _answers(setup: Setup, parent: Subject, prompts: Sequence[HeldOut]) -> dict[str, Answered]:
    with setup.results.open(parent.key, "demo-kl-answers", _TERMS) as units:
        missing = [one for one in prompts if one.unit not in units]
        if missing:
            for number, prompt, answer in _sampled(setup, parent.llm, missing):
                units.add(missing[number].unit, [prompt, answer])
        return {one.unit: Answered(*units[one.unit]) for one in prompts}


def _sampled(
    setup: Setup, llm: LLM, prompts: Sequence[HeldOut]
) -> Iterator[tuple[int, list[int], list[int]]]:
    requests = [
        Request(
            prompt_ids=llm.encode_chat([Message("user", one.text)]),
            params=SamplingParams(temperature=1, seed=one.seed, max_tokens=MOST_TOKENS),
        )
        for one in prompts
    ]
    for number, (answer,) in finished(llm, requests, setup.progress, "the parent's answers"):
        ids = [piece.token_id for piece in answer.take()]
        yield number, list(requests[number].prompt_ids), ids


def _divergences(
    setup: Setup, prompts: Sequence[HeldOut], answers: dict[str, Answered]
) -> list[float]:
    terms = _TERMS | {"parent": setup.parent.key}
    with setup.results.open(setup.model.key, "demo-kl", terms) as units:
        missing = [one for one in prompts if one.unit not in units]
        with setup.progress.task("divergence", len(missing), "items") as advance:
            for one in missing:
                units.add(one.unit, _divergence(setup, one, answers[one.unit]))
                advance(1)
        return [units[one.unit] for one in prompts]


@torch.inference_mode()
def _divergence(setup: Setup, prompt: HeldOut, answered: Answered) -> float:
    llms = [setup.parent.llm, setup.model.llm]
    same_tokens(setup, prompt.text, *(llm.encode(prompt.text) for llm in llms))
    ids, first = [*answered.prompt, *answered.answer], len(answered.prompt) - 1
    # The row of a token tells what follows it: the last one's is of no token of the answer.
    parent_TV, model_TV = (llm.logits(ids)[first:-1] for llm in llms)
    return divergence(parent_TV, model_TV)


def _part(
    prompts: Sequence[HeldOut], divergences: Sequence[float], tokens: Sequence[int], source: str
) -> tuple[list[Any], list[Any]]:
    places = [number for number, one in enumerate(prompts) if one.source == source]
    return [divergences[place] for place in places], [tokens[place] for place in places]
