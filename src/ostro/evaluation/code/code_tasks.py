"""HumanEval and MBPP: which share of a model's programs passes the tests of their problems."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ostro.errors import OstroError
from ostro.evaluation.asking import finished
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample
from ostro.evaluation.code.code_section import code_section
from ostro.evaluation.code.problems import TASKS, Problem, Problems, read_problems
from ostro.evaluation.code.sandbox import Limits, require_sandbox, run
from ostro.evaluation.content_name import content_name
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.statistics import mean_of
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress


@dataclass(frozen=True, kw_only=True)
class CodeTasks:
    """Programs that a model writes, greedily, one for each problem (pass@1)."""

    data: BenchmarkData
    """Needs ``humaneval`` or ``humaneval_half``; ``mbpp_sanitized`` and ``mbpp_fewshot``."""
    allow_execution: bool = False
    """Whether the programs may be run: nobody reads them before."""
    tasks: Sequence[str] = TASKS
    limit: int | None = None
    """Problems of each task; None takes all."""
    seed: int = 0
    """What draws them."""
    max_tokens: int = 512
    """Of a completion."""
    limits: Limits = field(default_factory=Limits)
    name: str = "code"

    def check(self, subject: Subject) -> None:
        """Refuse to run programs without permission or limits, and data that is missing."""
        if not self.allow_execution:
            raise OstroError(
                "HumanEval and MBPP run programs that the model writes; "
                "permit it with --allow-code-execution"
            )
        require_sandbox()
        if self.limit is not None and self.limit < 1:
            raise OstroError(f"code: limit must be 1 or more, not {self.limit}")
        if not self.tasks:
            raise OstroError(f"code: no task is named; known: {', '.join(TASKS)}")
        if subject.context <= self.max_tokens:
            raise OstroError(
                f"{subject.name}: programs of {self.max_tokens} tokens need a larger --context "
                f"than {subject.context}"
            )
        for task in self.tasks:
            read_problems(self.data, task)

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Ask for the programs that are not known yet, and run each."""
        self.check(subject)
        tried = run("", self.limits)
        if tried.status != "passed":
            raise OstroError(f"the sandbox lets no program pass: {tried.reason}")
        found = {}
        for task in self.tasks:
            problems = read_problems(self.data, task)
            with results.open(subject.key, task, self._terms()) as units:
                found[task] = self._measure_task(subject, problems, units, progress)
        return {"tasks": found, "guards": list(tried.guards)}

    def section(self, found: Mapping[str, Found]) -> Section:
        """A table of the models beside what was published."""
        return code_section(found, self.limits, self.max_tokens)

    def _terms(self) -> dict[str, Any]:
        return {"limits": asdict(self.limits), "max_tokens": self.max_tokens}

    def _measure_task(
        self, subject: Subject, problems: Problems, units: Units, progress: Progress
    ) -> dict[str, Any]:
        everything = problems.problems
        numbers = spread_sample([problems.task] * len(everything), self.limit, self.seed)
        wanted = {_unit_name(everything[number]): everything[number] for number in numbers}
        missing = {name: problem for name, problem in wanted.items() if name not in units}
        if missing:
            label = f"{problems.title} of {subject.name}"
            for name, completion in self._completions(subject, missing, progress, label):
                outcome = run(missing[name].program(completion), self.limits)
                told = {"status": outcome.status, "reason": outcome.reason}
                units.add(name, {"completion": completion, **told})
        return _summary(problems, [units[name] for name in wanted])

    def _completions(
        self, subject: Subject, problems: Mapping[str, Problem], progress: Progress, label: str
    ) -> Iterator[tuple[str, str]]:
        """The name of each problem with what the model continues it with."""
        llm, names = subject.llm, list(problems)
        requests = [
            llm.request(problem.prompt, max_tokens=self.max_tokens, stop=problem.stop)
            for problem in problems.values()
        ]
        for number, (answer,) in finished(llm, requests, progress, label):
            yield names[number], llm.gather(answer, answer.take()).text


def _unit_name(problem: Problem) -> str:
    return content_name(problem.name, problem.prompt, problem.tests, problem.stop)


def _summary(problems: Problems, values: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    statuses = [value["status"] for value in values]
    return {
        "title": problems.title,
        "of": len(problems.problems),
        "passed": mean_of([float(status == "passed") for status in statuses]).to_dict(),
        "timed_out": statuses.count("timed out"),
    }
