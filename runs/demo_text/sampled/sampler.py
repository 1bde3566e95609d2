"""What is needed of the parent: continuations and answers, many at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.runtime.progress import Progress

TOP_P = 0.95
_OF_QUESTIONS = 0.9  # Temperature: questions are to be many, answers to be right.
Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Sampled:
    """A text that a model wrote."""

    text: str
    ended: bool
    """Whether the model ended it, and not the limit."""
    tokens: int


class Sampler(Protocol):
    """A model, or what stands for one in a test."""

    def continued(self, texts: Sequence[str], most: int, seed: int) -> list[Sampled]:
        """Raw texts, with control tokens written out, continued by at most ``most`` tokens."""
        ...

    def answered(self, chats: Sequence[Messages], most: int, seed: int) -> list[Sampled]:
        """Conversations answered in the model's own template."""
        ...

    def tokens(self, text: str) -> int:
        """How many tokens a text has."""
        ...


@dataclass(frozen=True)
class ParentSampler:
    """A loaded model that samples from all but the unlikeliest of its own distribution."""

    llm: LLM
    progress: Progress
    temperature: float = 0.7

    def continued(self, texts: Sequence[str], most: int, seed: int) -> list[Sampled]:
        """Raw texts, with control tokens written out, continued by at most ``most`` tokens."""
        return self._sampled(
            [
                self._request(text, most, seed + n, temperature=_OF_QUESTIONS, raw=True)
                for n, text in enumerate(texts)
            ]
        )

    def answered(self, chats: Sequence[Messages], most: int, seed: int) -> list[Sampled]:
        """Conversations answered in the model's own template."""
        return self._sampled([self._request(chat, most, seed + n) for n, chat in enumerate(chats)])

    def tokens(self, text: str) -> int:
        """How many tokens a text has."""
        return len(self.llm.encode(text))

    def _request(self, prompt: str | Messages, most: int, seed: int, **more: Any) -> Request:
        settings = {"temperature": self.temperature, "top_p": TOP_P, "seed": seed, **more}
        return self.llm.request(prompt, max_tokens=most, **settings)

    def _sampled(self, requests: Sequence[Request]) -> list[Sampled]:
        return [
            Sampled(one.text, one.finish_reason == "stop", one.completion_tokens)
            for one in self.llm.batch(requests, progress=self.progress)
        ]
