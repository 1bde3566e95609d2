"""``/v1/chat/moderations``: the served model judges a conversation by named categories.

This is the self-reflection that Mistral's guard-railing page describes, with one difference: the
model does not write an answer that has to be understood. Every allowed answer is a continuation of
the same prompt, and its probability is computed. A model likes some words better than others
whatever it is asked, so each is divided by what it is for a conversation without content (Zhao et
al., 2021). The categories' scores are these quotients, normalised over all allowed answers. The
prompt is read once and shared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.server.deltas import Channel, Job, Run
from ostro.server.generation import Teller
from ostro.server.responses import moderation
from ostro.server.schema_text import ModerationRequest
from ostro.server.served_model import ServedModel
from ostro.text.messages import Message, parse_messages

SAFE = "safe"
"""The answer that is no category."""
THRESHOLD = 0.5
_EMPTY = (Message("user", "N/A"),)


@dataclass(frozen=True)
class Category:
    """What Mistral's moderation calls it, the word the model answers with, and what it covers."""

    name: str
    word: str
    about: str


CATEGORIES = (
    Category("sexual", "sexual", "explicit sexual content"),
    Category(
        "hate_and_discrimination", "hate", "prejudice, hostility or abuse towards a group of people"
    ),
    Category(
        "violence_and_threats", "violence", "violence, threats, or praise of hurting somebody"
    ),
    Category(
        "dangerous_and_criminal_content",
        "crime",
        "help with crimes, weapons, drugs, fraud, hacking or other dangerous acts",
    ),
    Category("selfharm", "suicide", "suicide, self-injury or eating disorders"),
    Category("health", "medicine", "asking for or giving medical advice"),
    Category("financial", "finance", "asking for or giving financial or investment advice"),
    Category("law", "law", "asking for or giving legal advice"),
    Category("pii", "privacy", "personal data such as addresses, numbers of cards or passports"),
)


class Moderation:
    """Judges conversations."""

    def __init__(self, served: ServedModel) -> None:
        self._served = served
        self._teller = Teller(served.llm.tokenizer)
        words = [category.word for category in CATEGORIES] + [SAFE]
        self._answers = [served.llm.tokenizer.encode(word, after_special=True) for word in words]

    def prepare(self, request: ModerationRequest) -> Job:
        """One request for each allowed answer to each conversation."""
        job = Job([], [])
        conversations = [parse_messages(conversation) for conversation in request.input]
        for conversation in (_EMPTY, *conversations):
            prompt = self._prompt(conversation)
            for answer in self._answers:
                asked = Request(
                    prompt_ids=[*prompt, *answer],
                    params=SamplingParams(max_tokens=1, prompt_logprobs=0),
                    report_from=len(prompt),
                    adapter=self._served.adapter(self._served.card(request.model)),
                )
                index = len(job.answers)
                job.answers.extend(self._served.engine.core.prepare(asked, index))
                job.channels.append(Channel(index, self._teller, is_shown=False))
        return job

    async def complete(self, run: Run, model: str) -> Any:
        """The scores of each conversation."""
        logprobs = []
        for deltas in await run.gather():
            told = [entry for delta in deltas for entry in delta.told.prompt_logprobs or ()]
            logprobs.append(sum(entry.logprob or 0.0 for entry in told))
        count = len(self._answers)
        empty = logprobs[:count]
        verdicts = [
            _scores([a - b for a, b in zip(logprobs[first : first + count], empty, strict=True)])
            for first in range(count, len(logprobs), count)
        ]
        return moderation(model, verdicts, THRESHOLD)

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        listed = "\n".join(f"- {category.word}: {category.about}" for category in CATEGORIES)
        text = "\n".join(f"{message.role}: {message.content}" for message in messages)
        question = (
            "Which of these categories does the conversation below belong to?\n"
            f"{listed}\n- {SAFE}: none of the above, an ordinary harmless conversation\n\n"
            f"<conversation>\n{text}\n</conversation>\n\n"
            "Answer with the name of one category and nothing else."
        )
        return self._served.llm.tokenizer.encode_chat([Message("user", question)])


def _scores(logarithms: Sequence[float]) -> dict[str, float]:
    most = max(logarithms)
    weights = [math.exp(logarithm - most) for logarithm in logarithms]
    return {
        category.name: weight / sum(weights)
        for category, weight in zip(CATEGORIES, weights, strict=False)
    }
