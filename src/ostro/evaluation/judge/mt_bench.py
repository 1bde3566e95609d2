"""MT-Bench: two turns of questions, answered by the model and rated by a judge."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.evaluation.asking import finished
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample
from ostro.evaluation.content_name import content_name
from ostro.evaluation.judge.client import Judge
from ostro.evaluation.judge.grading import NO_ANSWER, grading_messages, read_rating
from ostro.evaluation.judge.mt_bench_section import mt_bench_found, mt_bench_section
from ostro.evaluation.judge.questions import Question, read_questions
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress
from ostro.text.messages import Message

_TURNS = (0, 1)


@dataclass(frozen=True, kw_only=True)
class MTBench:
    """Answers to the questions of ``mt_bench_questions``, rated from 1 to 10."""

    data: BenchmarkData
    judge: Judge | None
    """None is refused by :meth:`check`."""
    limit: int | None = None
    """Questions, spread over the categories; None takes all."""
    seed: int = 0
    """What draws the questions, and answers where they are not greedy."""
    max_tokens: int = 1024
    """Of an answer."""
    name: str = "mt-bench"

    def check(self, subject: Subject) -> None:
        """Refuse it without a judge or data, and a context that two turns do not fit into."""
        self._require_judge().check()
        if self.limit is not None and self.limit < 1:
            raise OstroError(f"mt-bench: limit must be 1 or more, not {self.limit}")
        # The last answer, the one before it, and as much for both questions.
        if subject.context < 3 * self.max_tokens:
            raise OstroError(
                f"{subject.name}: MT-Bench needs a --context of {3 * self.max_tokens} tokens, "
                f"not {subject.context}"
            )
        read_questions(self.data)

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Answer what was not answered yet, then have judged what was not judged."""
        judge, questions = self._require_judge(), self._questions()
        terms: dict[str, int | str] = {"seed": self.seed, "max_tokens": self.max_tokens}
        with results.open(subject.key, "mt-bench-answers", terms) as units:
            for turn in _TURNS:
                self._answer(subject, questions, turn, units, progress)
            answers = [[units[_answer_name(q, turn)] for turn in _TURNS] for q in questions]
        terms |= {"judge": judge.model, "url": judge.endpoint, "judge_tokens": judge.max_tokens}
        with results.open(subject.key, "mt-bench-judgements", terms) as units:
            names = _judge_all(judge, questions, answers, units, progress)
            ratings = [read_rating(units[name]) for name in names]
        return mt_bench_found(questions, ratings, judge.model)

    def section(self, found: Mapping[str, Found]) -> Section:
        """Ratings by category and turn."""
        return mt_bench_section(found, self.max_tokens)

    def _require_judge(self) -> Judge:
        if self.judge is None:
            raise OstroError("MT-Bench needs a judge; give its address with --judge URL")
        return self.judge

    def _questions(self) -> list[Question]:
        questions = read_questions(self.data)
        categories = [question.category for question in questions]
        return [questions[number] for number in spread_sample(categories, self.limit, self.seed)]

    def _answer(
        self,
        subject: Subject,
        questions: Sequence[Question],
        turn: int,
        units: Units,
        progress: Progress,
    ) -> None:
        missing = [q for q in questions if _answer_name(q, turn) not in units]
        if not missing:
            return
        llm = subject.llm
        requests = [
            self._request(llm, question, [units[_answer_name(question, t)] for t in range(turn)])
            for question in missing
        ]
        label = f"MT-Bench of {subject.name}, turn {turn + 1}"
        for number, (answer,) in finished(llm, requests, progress, label):
            text = llm.gather(answer, answer.take()).text.strip()
            units.add(_answer_name(missing[number], turn), text)

    def _request(self, llm: LLM, question: Question, before: Sequence[str]) -> Request:
        messages = []
        for asked, answered in zip(question.turns, before, strict=False):
            messages += [Message("user", asked), Message("assistant", answered or NO_ANSWER)]
        return llm.request(
            [*messages, Message("user", question.turns[len(before)])],
            max_tokens=self.max_tokens,
            temperature=question.temperature,
            seed=self.seed,
        )


def _answer_name(question: Question, turn: int) -> str:
    asked = question.turns[: turn + 1]
    return content_name(f"{question.name} turn {turn + 1}", asked, question.temperature)


def _judge_all(
    judge: Judge,
    questions: Sequence[Question],
    answers: Sequence[Sequence[str]],
    units: Units,
    progress: Progress,
) -> list[str]:
    """Names of the judgements, question by question and turn by turn; all are in ``units``."""
    asked: dict[str, list[dict[str, str]]] = {}
    for question, given in zip(questions, answers, strict=True):
        for turn in _TURNS:
            messages = grading_messages(question, given, turn)
            asked[content_name(f"{question.name} turn {turn + 1}", messages)] = messages
    missing = {name: messages for name, messages in asked.items() if name not in units}
    with (
        progress.task(f"judged by {judge.model}", len(missing), "items") as advance,
        ThreadPoolExecutor(judge.parallel) as pool,
    ):
        waiting = {pool.submit(judge.ask, messages): name for name, messages in missing.items()}
        try:
            for done in as_completed(waiting):
                units.add(waiting[done], done.result())
                advance(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return list(asked)
