"""``ostro eval``: what each command measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from ostro.cli.eval_options import TaskExtras
from ostro.cli.inputs import read_text
from ostro.cli.measuring import Asked, FoundByName, Offer, measured, run, tell
from ostro.config import Geometry
from ostro.errors import OstroError
from ostro.evaluation.benchmarks.catalogue import CATALOGUE, require_known
from ostro.evaluation.benchmarks.run import Benchmarks
from ostro.evaluation.bias.bbq import BBQ
from ostro.evaluation.bias.bold import BOLD
from ostro.evaluation.code.code_tasks import CodeTasks
from ostro.evaluation.code.problems import TASKS as CODE
from ostro.evaluation.comparison import published_repeats, task_references
from ostro.evaluation.experts import Experts
from ostro.evaluation.figures import ModelResults, figures
from ostro.evaluation.figures.collect import model_results
from ostro.evaluation.judge.client import Judge
from ostro.evaluation.judge.mt_bench import MTBench
from ostro.evaluation.long_context.documents import (
    Document,
    benchmark_documents,
    own_documents,
)
from ostro.evaluation.long_context.needles import Needles
from ostro.evaluation.long_context.passkey import Passkey
from ostro.evaluation.long_context.perplexity_curve import PerplexityCurve
from ostro.evaluation.long_context.protocols import ByPosition, CurveProtocol, Paired, Sliding
from ostro.evaluation.measurement import Measurement
from ostro.evaluation.report.contents import Section
from ostro.evaluation.routing_analysis.measurement import RoutingAnalysis
from ostro.evaluation.speed.measurement import Speed
from ostro.runtime.progress import TerminalProgress

_PROTOCOLS: tuple[CurveProtocol, ...] = (Paired(), Sliding(), ByPosition())
_JUDGED = "mt-bench"


def run_perplexity(
    asked: Asked, texts: Sequence[Path], protocol: str, lengths: Sequence[int] | None
) -> None:
    """Perplexity over context."""
    run(asked, [Offer("Perplexity over context", _perplexity(asked, texts, protocol, lengths))])


def run_passkey(
    asked: Asked, lengths: Sequence[int] | None, *, depths: int, keys: int, needles: int
) -> None:
    """Passkeys, and needles unless there are to be none."""
    shares = [number / (depths - 1) for number in range(depths)]
    seed = asked.seed
    offers = [
        Offer("Passkey", lambda: Passkey(lengths=lengths, depths=shares, keys=keys, seed=seed))
    ]
    if needles:
        offers.append(Offer("Needles", lambda: Needles(lengths=lengths, trials=needles, seed=seed)))
    run(asked, offers)


def run_tasks(asked: Asked, names: Sequence[str], extras: TaskExtras) -> None:
    """Benchmarks; those that need leave or a judge only where they have it, or are named."""
    run(asked, _tasks(asked, names, extras))


def run_bias(asked: Asked) -> None:
    """BBQ and BOLD."""
    run(asked, _bias(asked))


def run_routing(asked: Asked) -> None:
    """Section 5 of the paper."""
    run(asked, [_routing(asked)])


def run_experts(asked: Asked, text: Path | None) -> None:
    """Quality and speed by the number of experts."""
    run(asked, [_experts(asked, text)])


def run_all(asked: Asked, extras: TaskExtras) -> None:
    """Everything that can be measured; the report says why the rest is not there."""
    offers = [
        Offer("Perplexity over context", _perplexity(asked, [], "paired", None)),
        Offer("Passkey", lambda: Passkey(seed=asked.seed)),
        Offer("Needles", lambda: Needles(seed=asked.seed)),
        *_tasks(asked, [], extras),
        *_bias(asked),
        _routing(asked),
        _experts(asked, None),
        Offer("Speed", lambda: Speed(run=date.today().isoformat(), threads=asked.threads)),
    ]
    _run_with_figures(asked, offers)


def run_figures(asked: Asked) -> None:
    """The guide's pictures alone, with what is found of the models."""
    offers = [
        Offer("Perplexity over context", _perplexity(asked, [], "paired", None)),
        Offer("Passkey", lambda: Passkey(seed=asked.seed)),
        *_tasks(asked, [], TaskExtras()),
        *_bias(asked),
    ]
    _run_with_figures(asked, offers if asked.models else [], alone=True)


def _run_with_figures(asked: Asked, offers: Sequence[Offer], *, alone: bool = False) -> None:
    progress = TerminalProgress()
    lenient = [replace(offer, is_required=False) for offer in offers]
    sections = measured(asked, lenient, progress, pictures=_pictures)
    tell(asked, sections[-1:] if alone else sections, progress)


def _pictures(geometries: Mapping[str, Geometry], found: FoundByName) -> Section:
    def of(model: str) -> ModelResults:
        own = {name: one[model] for name, one in found.items() if model in one}
        return model_results(geometries[model], own)

    return figures({model: of(model) for model in geometries})


def _perplexity(
    asked: Asked, texts: Sequence[Path], protocol: str, lengths: Sequence[int] | None
) -> Callable[[], Measurement]:
    def make() -> Measurement:
        return PerplexityCurve(
            documents=_documents(asked, texts),
            protocol=_protocol(protocol),
            lengths=lengths,
            limit=asked.limit,
            seed=asked.seed,
        )

    return make


def _documents(asked: Asked, texts: Sequence[Path]) -> Sequence[Document]:
    if texts and asked.data is not None:
        raise OstroError("--text and --data both give documents; leave one of them out")
    if texts:
        return own_documents(texts)
    if asked.data is None:
        raise OstroError("perplexity over context needs long documents; give --data or --text")
    return benchmark_documents(asked.benchmark_data("perplexity over context"))


def _protocol(name: str) -> CurveProtocol:
    known = {protocol.name: protocol for protocol in _PROTOCOLS}
    if name not in known:
        raise OstroError(f"unknown protocol {name!r}; known: {', '.join(known)}")
    return known[name]


def _tasks(asked: Asked, names: Sequence[str], extras: TaskExtras) -> list[Offer]:
    require_known(names, [*(benchmark.name for benchmark in CATALOGUE), *CODE, _JUDGED])
    code = [name for name in names if name in CODE]
    others = tuple(name for name in names if name not in CODE and name != _JUDGED)
    offers = []
    if others or not names:
        offers.append(Offer("Benchmarks", lambda: _benchmarks(asked, others)))
    if code or not names:
        offers.append(Offer("Code", lambda: _code(asked, code or CODE, extras), bool(code)))
    if _JUDGED in names or not names:
        offers.append(Offer("MT-Bench", lambda: _judged(asked, extras), _JUDGED in names))
    return offers


def _benchmarks(asked: Asked, names: tuple[str, ...]) -> Measurement:
    data = None if asked.data is None else asked.benchmark_data("benchmarks")
    limit, seed = asked.limit, asked.seed
    return Benchmarks(names=names, limit=limit, seed=seed, data=data, reference=task_references())


def _code(asked: Asked, tasks: Sequence[str], extras: TaskExtras) -> Measurement:
    return CodeTasks(
        data=asked.benchmark_data("HumanEval or MBPP"),
        allow_execution=extras.allow_code_execution,
        tasks=tasks,
        limit=asked.limit,
        seed=asked.seed,
    )


def _judged(asked: Asked, extras: TaskExtras) -> Measurement:
    data = asked.benchmark_data("MT-Bench")
    return MTBench(data=data, judge=_judge(extras), limit=asked.limit, seed=asked.seed)


def _bias(asked: Asked) -> list[Offer]:
    limit, seed = asked.limit, asked.seed
    return [
        Offer("BBQ", lambda: BBQ(data=asked.benchmark_data("BBQ"), limit=limit, seed=seed)),
        Offer("BOLD", lambda: BOLD(data=asked.benchmark_data("BOLD"), limit=limit, seed=seed)),
    ]


def _routing(asked: Asked) -> Offer:
    def make() -> Measurement:
        data = asked.benchmark_data("the analysis of routing")
        reference = published_repeats()
        return RoutingAnalysis(data=data, limit=asked.limit, seed=asked.seed, reference=reference)

    return Offer("Routing", make)


def _experts(asked: Asked, text: Path | None) -> Offer:
    def make() -> Measurement:
        if text is None:
            return Experts(threads=asked.threads)
        return Experts(text=read_text(text), text_name=text.name, threads=asked.threads)

    return Offer("Experts", make)


def _judge(extras: TaskExtras) -> Judge | None:
    """Whom to ask, if anybody."""
    if extras.judge is None:
        return None
    key = extras.judge_key
    if key is not None and key.startswith("@"):
        key = read_text(Path(key[1:])).strip()
    return Judge(url=extras.judge, model=extras.judge_model, key=key)
