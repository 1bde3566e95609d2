"""Needles: a harder test than the passkey, since others stand in the text that look alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation.long_context.lengths import chosen_lengths, require_lengths
from ostro.evaluation.long_context.needle_prompt import (
    ALL,
    ONE,
    Question,
    draw_haystack,
    needle_ids,
    share_named,
)
from ostro.evaluation.long_context.needles_section import needles_section
from ostro.evaluation.long_context.trials import Answerer, Encode, GreedyAnswerer, Trial, ask
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Needles:
    """Whether a model finds the numbers of one thing among those of others, for every length."""

    lengths: Sequence[int] | None = None
    """In tokens, room for the answer included; None: powers of two from 512 to the context."""
    questions: Sequence[Question] = (ONE, ALL)
    """Their names differ."""
    trials: int = 10
    """Of each question at each length."""
    seed: int = 0
    answerer: Callable[[LLM], Answerer] = field(default=GreedyAnswerer, repr=False)
    name: str = "needles"

    def check(self, subject: Subject) -> None:
        """Refuse lengths beyond the model."""
        if self.trials < 1 or not self.questions:
            raise OstroError("a test with needles needs a question and a trial at least; give one")
        least = max(question.max_tokens for question in self.questions) + 1
        require_lengths(self.lengths, subject, least)

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Ask what was not asked yet."""
        lengths = chosen_lengths(self.lengths, subject)
        found = [self._answered(one, lengths, subject, results, progress) for one in self.questions]
        return {"questions": found}

    def section(self, found: Mapping[str, Found]) -> Section:
        """Scores by length, beside those of guessing."""
        return needles_section(self.name, found)

    def _answered(
        self,
        question: Question,
        lengths: Sequence[int],
        subject: Subject,
        results: Results,
        progress: Progress,
    ) -> Found:
        terms = {"seed": self.seed, "needles": question.needles, "values": question.values}
        with results.open(subject.key, f"{self.name}-{question.name}", terms) as units:
            ask(
                [
                    self._trial(question, n, number)
                    for n in lengths
                    for number in range(self.trials)
                ],
                subject,
                units,
                progress,
                answerer=self.answerer,
                max_tokens=question.max_tokens,
                label=f"needles of {subject.name}, {question.words}",
            )
            return {
                "question": question.name,
                "words": question.words,
                "chance": question.chance,
                "lengths": [self._at(length, units) for length in lengths],
            }

    def _trial(self, question: Question, length: int, number: int) -> Trial:
        haystack = draw_haystack(question, self.seed, length, number)
        room = length - question.max_tokens

        def prompt(encode: Encode) -> list[int]:
            return needle_ids(encode, question, haystack, room)

        return Trial(
            f"{length}/{number}", prompt, lambda answer: share_named(answer, haystack.values)
        )

    def _at(self, length: int, units: Units) -> Found:
        values = [units[f"{length}/{number}"] for number in range(self.trials)]
        return {
            "length": length,
            "scores": [value["score"] for value in values],
            "answers": [value["answer"] for value in values],
        }
