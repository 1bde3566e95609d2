"""lm-eval's tasks for a benchmark, with local data where there is some, and the hub's otherwise."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample
from ostro.evaluation.benchmarks.benchmark import VOTE_TEMPERATURE, Benchmark, Source
from ostro.evaluation.benchmarks.harness import EXTRA
from ostro.runtime.extras import require_extra

_ASKED, _EXAMPLES = "asked", "examples"
FEWSHOT_SEED = 1234
"""lm-eval's own seed for drawing examples; no task here draws any."""

Documents = dict[str, list[dict[str, Any]]]
"""Documents by the name of lm-eval's task."""


class NoDataError(Exception):
    """There is nothing to ask; the message says why."""


@dataclass(frozen=True)
class Question:
    """A document that is to be asked."""

    name: str
    """Of its unit: the task, and its number there."""
    task: Any
    """An ``lm_eval.api.task.ConfigurableTask``."""
    number: int
    document: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LoadedBenchmark:
    """A benchmark with its data."""

    benchmark: Benchmark
    label: str
    notes: tuple[str, ...]
    origin: str
    """Where the data comes from: the name of a file, or of a set on the hub."""
    tasks: Mapping[str, Any]
    """lm-eval's tasks by their name."""

    @property
    def count(self) -> int:
        """Documents that could be asked."""
        return sum(len(task.task_docs) for task in self.tasks.values())

    def questions(self, limit: int | None, seed: int) -> list[Question]:
        """At most ``limit`` documents, spread over tasks and subjects."""
        every = [
            Question(f"{name}/{number}", task, number, document)
            for name, task in self.tasks.items()
            for number, document in enumerate(task.task_docs)
        ]
        groups = [str(one.document.get("subject") or one.name.partition("/")[0]) for one in every]
        return [every[number] for number in spread_sample(groups, limit, seed)]

    def digest(self) -> str:
        """What tells these documents, their examples and their wording from others."""
        told = hashlib.sha256()
        for name, task in self.tasks.items():
            documents = list(task.task_docs)
            wording = [prompt_of(task, documents[0]), task.config.generation_kwargs, task.VERSION]
            told.update(json.dumps([name, wording, documents], default=str).encode())
        return told.hexdigest()[:16]


def prompt_of(task: Any, document: Mapping[str, Any]) -> Any:
    """What a model reads before it answers: a text, or one for each choice."""
    return task.fewshot_context(
        document, num_fewshot=task.config.num_fewshot, gen_prefix=task.doc_to_prefix(document)
    )


class Loader:
    """Loads benchmarks. After the hub could not be reached once it is not tried again."""

    def __init__(self, data: BenchmarkData | None, *, hub: bool) -> None:
        self._data = data
        self._no_hub = None if hub else "the hub is not asked"

    def load(self, benchmark: Benchmark) -> LoadedBenchmark:
        """The benchmark with its data, or a :class:`NoDataError`."""
        found = (one for one in benchmark.sources if self._data and self._data.has(one.file))
        source = next(found, None)
        return self._from_hub(benchmark) if source is None else self._from_file(benchmark, source)

    def _from_file(self, benchmark: Benchmark, source: Source) -> LoadedBenchmark:
        assert self._data is not None
        if source.examples is not None and not self._data.has(source.examples):
            raise NoDataError(f"{self._data.folder} has no {source.examples} with its examples")
        asked, examples = self._documents(source)
        if not asked:
            raise NoDataError(f"{source.file} has none of its documents")
        configs = dict(_configs(benchmark))
        unknown = sorted(set(asked) - set(configs))
        if unknown:
            raise OstroError(f"{source.file}: lm-eval has no task {unknown[0]!r}")
        tasks = {
            name: _task(
                configs[name] | dict(source.changes),
                benchmark,
                {_ASKED: documents, _EXAMPLES: examples.get(name, [])},
            )
            for name, documents in asked.items()
        }
        notes = tuple(note for note in (benchmark.note, source.note) if note)
        return LoadedBenchmark(
            benchmark=benchmark,
            label=source.label or benchmark.label,
            notes=notes,
            origin=self._data.path(source.file).name,
            tasks=tasks,
        )

    def _documents(self, source: Source) -> tuple[Documents, Documents]:
        """What is asked, and what is shown."""
        assert self._data is not None
        asked = _adapted(self._data.records(source.file, source.fields), source)
        if source.examples is not None:
            return asked, _adapted(self._data.records(source.examples, source.fields), source)
        shown = source.first_are_examples
        examples = {name: documents[:shown] for name, documents in asked.items()}
        rest = {name: documents[shown:] for name, documents in asked.items()}
        return {name: documents for name, documents in rest.items() if documents}, examples

    def _from_hub(self, benchmark: Benchmark) -> LoadedBenchmark:
        reason = (
            self._no_hub if benchmark.hub else "it is not on the hub in a form that can be read"
        )
        if reason is not None:
            raise NoDataError(f"{self._no_file(benchmark)}{reason}")
        tasks, origin = {}, ""
        for name, config in _configs(benchmark):
            origin = str(config.get("dataset_path"))
            try:
                tasks[name] = _task(config, benchmark, None)
            except (OSError, ValueError) as error:
                reason = f"{origin} did not come from the hub: {_first_line(error)}"
                if isinstance(error, ConnectionError):
                    self._no_hub = "the hub cannot be reached"
                    reason = self._no_hub
                raise NoDataError(f"{self._no_file(benchmark)}{reason}") from error
        notes = (benchmark.note,) if benchmark.note else ()
        return LoadedBenchmark(
            benchmark=benchmark, label=benchmark.label, notes=notes, origin=origin, tasks=tasks
        )

    def _no_file(self, benchmark: Benchmark) -> str:
        if not benchmark.sources:
            return ""
        files = " or ".join(f"{source.file}.jsonl" for source in benchmark.sources)
        where = "no --data with" if self._data is None else f"{self._data.folder.name} has no"
        return f"{where} {files}, and "


def _adapted(records: list[dict[str, Any]], source: Source) -> Documents:
    found: Documents = {}
    for record in records:
        adapted = source.adapt(record)
        if adapted is not None:
            found.setdefault(adapted[0], []).append(adapted[1])
    return found


def _configs(benchmark: Benchmark) -> Iterator[tuple[str, dict[str, Any]]]:
    """lm-eval's configurations of a benchmark by the names of their files."""
    if benchmark.config:
        yield str(benchmark.config["task"]), dict(benchmark.config)
        return
    tasks: Any = require_extra("lm_eval.tasks", EXTRA)
    reader: Any = require_extra("lm_eval.tasks._yaml_loader", EXTRA)
    folder = Path(tasks.__file__).parent
    for path in sorted(path for pattern in benchmark.configs for path in folder.glob(pattern)):
        try:
            yield path.stem, reader.load_yaml(path)
        except ModuleNotFoundError as error:
            raise NoDataError(
                f"lm-eval needs more packages for it: {_first_line(error)}"
            ) from error


def _task(config: dict[str, Any], benchmark: Benchmark, documents: Documents | None) -> Any:
    """One of lm-eval's tasks, with these documents or with the hub's."""
    module: Any = require_extra("lm_eval.api.task", EXTRA)
    config = config | dict(benchmark.changes)
    config |= {"num_fewshot": benchmark.shots, "repeats": benchmark.samples}
    if config["output_type"] == "generate_until":
        config["generation_kwargs"] = _generation(config["generation_kwargs"], benchmark)
    if documents is not None:
        config |= _local(documents)
    for name in ("tag", "group", "task_list"):
        config.pop(name, None)
    task = module.ConfigurableTask(config=config)
    task.set_fewshot_seed(FEWSHOT_SEED)
    return task


def _generation(options: Mapping[str, Any], benchmark: Benchmark) -> dict[str, Any]:
    drawn = {"do_sample": True, "temperature": VOTE_TEMPERATURE} if benchmark.is_voted else {}
    return {**options, "max_gen_toks": benchmark.most_tokens, **drawn}


def _local(documents: Documents) -> dict[str, Any]:
    """What makes a task take these documents."""
    datasets: Any = require_extra("datasets", EXTRA)
    tables = {split: datasets.Dataset.from_list(rows) for split, rows in documents.items() if rows}
    return {
        "custom_dataset": lambda **_: tables,
        "dataset_kwargs": None,
        "training_split": None,
        "validation_split": None,
        "test_split": _ASKED,
        "fewshot_split": _EXAMPLES if _EXAMPLES in tables else None,
    }


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
