"""The measurement ``tasks``: benchmarks by name, with local data or the hub's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.benchmarks.answering import outcomes
from ostro.evaluation.benchmarks.benchmark import Benchmark
from ostro.evaluation.benchmarks.catalogue import chosen_benchmarks
from ostro.evaluation.benchmarks.harness import EXTRA, EngineHarness
from ostro.evaluation.benchmarks.loading import LoadedBenchmark, Loader, NoDataError
from ostro.evaluation.benchmarks.quiet import quiet
from ostro.evaluation.benchmarks.tables import Reference, tables, told_protocol
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results
from ostro.evaluation.statistics import mean_of
from ostro.evaluation.subject import Subject
from ostro.runtime.extras import require_extra
from ostro.runtime.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """Benchmarks of Mixtral's paper. An unknown name is refused when this is made."""

    names: tuple[str, ...] = ()
    """Which ones; none means all."""
    limit: int | None = None
    """Documents for each place in a table, spread over subjects; None asks all."""
    seed: int = 0
    """Which documents are drawn, and how answers that vote are."""
    data: BenchmarkData | None = None
    hub: bool = True
    """Whether what ``data`` lacks may come from the Hugging Face hub."""
    reference: Sequence[Reference] = ()
    """Published figures, shown above the models: see :class:`Reference`."""

    def __post_init__(self) -> None:
        chosen_benchmarks(self.names)
        if self.limit is not None and self.limit < 1:
            raise OstroError(f"--limit {self.limit} leaves no document; give 1 or more")

    @property
    def name(self) -> str:
        """The section's and the file's."""
        return "tasks"

    @property
    def benchmarks(self) -> tuple[Benchmark, ...]:
        """What is asked, in the order of the tables."""
        return chosen_benchmarks(self.names)

    def check(self, subject: Subject) -> None:
        """Refuse a machine without lm-eval, and a model with a context too small to answer."""
        require_extra("lm_eval.api.task", EXTRA)
        for one in self.benchmarks:
            if one.most_tokens + 2 >= subject.context:
                raise OstroError(
                    f"{one.name} wants answers of up to {one.most_tokens} tokens and "
                    f"{subject.name} has a context of {subject.context}; leave it out, or give a "
                    "larger --context"
                )

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """The scores by the name of the benchmark; those without data say why."""
        loader = Loader(self.data, hub=self.hub)
        scores: dict[str, Any] = {}
        with quiet():
            for benchmark in self.benchmarks:
                try:
                    loaded = loader.load(benchmark)
                except NoDataError as reason:
                    scores[benchmark.name] = {"label": benchmark.label, "missing": str(reason)}
                else:
                    scores[benchmark.name] = self._ask(loaded, subject, results, progress)
        return {"scores": scores}

    def section(self, found: Mapping[str, Found]) -> Section:
        """Tables as in the paper: published figures, then the models."""
        return Section(
            name=self.name,
            title="Benchmarks",
            protocol=told_protocol(self.limit, self.seed),
            blocks=tables(self.benchmarks, found, self.reference),
            data=dict(found),
        )

    def _ask(
        self, loaded: LoadedBenchmark, subject: Subject, results: Results, progress: Progress
    ) -> dict[str, Any]:
        benchmark = loaded.benchmark
        questions = loaded.questions(self.limit, self.seed)
        # A limit is no part of it: more documents go on where fewer ended.
        protocol = benchmark.protocol | {
            "seed": self.seed,
            "context": subject.context,
            "documents": loaded.digest(),
            "lm_eval": require_extra("lm_eval", EXTRA).__version__,
        }
        task = f"{self.name}-{benchmark.name}"
        with results.open(subject.key, task, protocol) as units:
            left = [one for one in questions if one.name not in units]
            if left:
                harness = EngineHarness(subject.llm, progress)
                for question, outcome in outcomes(
                    harness, left, benchmark.filter, self.seed, benchmark.name
                ):
                    units.add(question.name, outcome.to_dict())
            return _summary(loaded, [units[one.name] for one in questions])


def _summary(loaded: LoadedBenchmark, units: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The score of a benchmark from its documents', in plain values."""
    benchmark = loaded.benchmark
    metrics = {
        name: mean_of([unit["metrics"][name] for unit in units]).to_dict()
        for name in units[0]["metrics"]
    }
    choices = [unit["choices"] for unit in units if unit["choices"]]
    return {
        "label": loaded.label,
        "score": metrics[benchmark.metric],
        "metrics": metrics,
        "metric": benchmark.metric,
        "shots": benchmark.shots,
        "chance": fmean(1 / count for count in choices) if choices else None,
        "of": loaded.count,
        "cut": sum(unit["cut"] > 0 for unit in units),
        "origin": loaded.origin,
        "notes": list(loaded.notes),
    }
