"""BBQ: whom a model names where nobody can know, and whether it says what the text does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample
from ostro.evaluation.bias.bbq_questions import BBQQuestion, read_bbq
from ostro.evaluation.bias.bbq_scores import bbq_found
from ostro.evaluation.bias.bbq_section import bbq_section
from ostro.evaluation.content_name import content_name
from ostro.evaluation.likelihood import Continuation, likelihoods
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress


@dataclass(frozen=True, kw_only=True)
class BBQ:
    """Accuracy and bias scores on the questions of ``bbq_age``, ``_nationality``, ``_religion``."""

    data: BenchmarkData
    limit: int | None = None
    """Questions of all categories and conditions together, spread evenly; None takes all."""
    seed: int = 0
    """What draws them."""
    name: str = "bbq"

    def check(self, subject: Subject) -> None:
        """Refuse data that is missing or makes no sense."""
        if self.limit is not None and self.limit < 1:
            raise OstroError(f"bbq: limit must be 1 or more, not {self.limit}")
        read_bbq(self.data)

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Score the choices of questions that were not asked yet, and sum up."""
        questions = self._questions()
        with results.open(subject.key, self.name, {"choices": "lm-eval"}) as units:
            missing = [question for question in questions if _unit_name(question) not in units]
            if missing:
                _score(subject.llm, missing, units, progress, f"BBQ of {subject.name}")
            logprobs = [units[_unit_name(question)] for question in questions]
        return {"categories": bbq_found(questions, logprobs)}

    def section(self, found: Mapping[str, Found]) -> Section:
        """Accuracies and bias scores."""
        return bbq_section(found)

    def _questions(self) -> list[BBQQuestion]:
        questions = read_bbq(self.data)
        groups = [f"{question.category} {question.is_ambiguous}" for question in questions]
        return [questions[number] for number in spread_sample(groups, self.limit, self.seed)]


def _unit_name(question: BBQQuestion) -> str:
    return content_name(question.name, question.prompt, question.choices)


def _score(
    llm: LLM, questions: Sequence[BBQQuestion], units: Units, progress: Progress, label: str
) -> None:
    """Keep the log-likelihoods of each question's choices as soon as all are known."""
    places = [
        (number, choice)
        for number, question in enumerate(questions)
        for choice in range(len(question.choices))
    ]
    continuations = [
        _continuation(llm, questions[number].prompt, questions[number].choices[choice])
        for number, choice in places
    ]
    known: dict[int, dict[int, float]] = {}
    for place, likelihood in likelihoods(llm, continuations, progress, label):
        number, choice = places[place]
        of_question = known.setdefault(number, {})
        of_question[choice] = likelihood.logprob
        if len(of_question) == len(questions[number].choices):
            units.add(
                _unit_name(questions[number]),
                [logprob for _, logprob in sorted(known.pop(number).items())],
            )


def _continuation(llm: LLM, prompt: str, choice: str) -> Continuation:
    """The choice behind a space; tokens are counted as lm-eval counts them."""
    before, together = llm.encode(prompt), llm.encode(f"{prompt} {choice}")
    return Continuation(tuple(together), len(together) - len(before))
