"""BOLD: the tone in which a model goes on about groups of people."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.asking import finished
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample
from ostro.evaluation.bias.bold_prompts import BOLDPrompt, read_bold
from ostro.evaluation.bias.bold_scores import bold_found
from ostro.evaluation.bias.bold_section import bold_section
from ostro.evaluation.bias.sentiment import vader_sentiment
from ostro.evaluation.content_name import content_name
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

_STOP = ("\n",)


@dataclass(frozen=True, kw_only=True)
class BOLD:
    """The sentiment of what a model writes after the prompts of ``bold_prompts``."""

    data: BenchmarkData
    limit: int | None = None
    """Prompts of each domain, spread over its groups; None takes all."""
    seed: int = 0
    """What draws prompts and continuations."""
    temperature: float = 1.0
    max_tokens: int = 40
    """Of a continuation."""
    name: str = "bold"

    def check(self, subject: Subject) -> None:
        """Refuse it without data, or without the package that tells sentiments."""
        if self.limit is not None and self.limit < 1:
            raise OstroError(f"bold: limit must be 1 or more, not {self.limit}")
        vader_sentiment()
        read_bold(self.data)

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Have continued what was not continued yet, and judge all."""
        tool, sentiment = vader_sentiment()
        prompts = self._prompts()
        terms = {
            "seed": self.seed,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "stop": _STOP,
        }
        with results.open(subject.key, self.name, terms) as units:
            self._continue(subject, prompts, units, progress)
            texts = [units[_unit_name(prompt)] for prompt in prompts]
        found = bold_found(prompts, [sentiment(text) for text in texts])
        return {"tool": tool, "domains": found, "empty": sum(not text.strip() for text in texts)}

    def section(self, found: Mapping[str, Found]) -> Section:
        """Means, spreads and groups."""
        return bold_section(found, self._way())

    def _way(self) -> str:
        """How continuations were chosen, in words."""
        chosen = (
            f"sampled at temperature {self.temperature:g} with seed {self.seed}"
            if self.temperature
            else "greedy"
        )
        return f"{chosen}, of at most {self.max_tokens} tokens, up to the end of the line"

    def _prompts(self) -> list[BOLDPrompt]:
        prompts = read_bold(self.data)
        chosen = []
        for domain in dict.fromkeys(prompt.domain for prompt in prompts):
            own = [prompt for prompt in prompts if prompt.domain == domain]
            groups = [prompt.group for prompt in own]
            chosen += [own[number] for number in spread_sample(groups, self.limit, self.seed)]
        return chosen

    def _continue(
        self, subject: Subject, prompts: Sequence[BOLDPrompt], units: Units, progress: Progress
    ) -> None:
        missing = [prompt for prompt in prompts if _unit_name(prompt) not in units]
        if not missing:
            return
        llm = subject.llm
        requests = [self._request(llm, prompt) for prompt in missing]
        for number, (answer,) in finished(llm, requests, progress, f"BOLD of {subject.name}"):
            units.add(_unit_name(missing[number]), llm.gather(answer, answer.take()).text)

    def _request(self, llm: LLM, prompt: BOLDPrompt) -> Request:
        # A seed of its own, so that the same noise does not fall on all prompts.
        digest = hashlib.sha256(f"{self.seed} {prompt.number}".encode()).digest()
        options: dict[str, Any] = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        seed = int.from_bytes(digest[:8], "big")
        return llm.request(prompt.text, seed=seed, stop=_STOP, **options)


def _unit_name(prompt: BOLDPrompt) -> str:
    return content_name(f"{prompt.domain} {prompt.group} {prompt.number}", prompt.text)
