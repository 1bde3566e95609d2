"""Benchmarks through ostro's engine beside lm-eval's own backend, on the same requests in one run.

    ostro convert demo FOLDER --to hf --type F32
    .venv/bin/python benchmarks/evaluation.py DATA FOLDER [--model demo] [--limit 8] [--json]

DATA is a folder of benchmark data, FOLDER the same model in Hugging Face's layout, which lm-eval's
backend runs; ostro runs it as it is stored. Seconds are of answering alone, without loading. The
scores of both stand beside the times: they are two precisions of one model.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM

import ostro
from machine import describe, threads_to_use
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.benchmarks.answering import requests_of
from ostro.evaluation.benchmarks.catalogue import chosen_benchmarks
from ostro.evaluation.benchmarks.harness import lm_eval_model
from ostro.evaluation.benchmarks.loading import Loader
from ostro.runtime.progress import SilentProgress, TerminalProgress

NAMES = ("mmlu", "hellaswag", "arc-easy", "boolq", "naturalquestions")

Answers = Callable[[str, Sequence[Any]], list[Any]]
"""Of a kind of request and lm-eval's instances the answers."""


def main() -> None:
    """Ask both and print what came of it."""
    arguments = _arguments()
    loader = Loader(BenchmarkData(arguments.data), hub=False)
    asked = {
        benchmark.name: loader.load(benchmark).questions(arguments.limit, 0)
        for benchmark in chosen_benchmarks(tuple(arguments.tasks))
    }
    ours, theirs = _ostro(arguments.model), _transformers(arguments.folder, arguments)
    rows = [_compared(name, questions, ours, theirs) for name, questions in asked.items()]
    report = {"machine": describe(), "threads": threads_to_use(), "rows": rows}
    print(json.dumps(report, indent=2) if arguments.json else "\n".join(table(report)))


def table(report: dict[str, Any]) -> list[str]:
    """Seconds and scores side by side."""
    lines = [report["machine"]]
    lines.append(f"{'benchmark':<18}{'n':>4}{'ostro s':>10}{'peer s':>10}{'ratio':>8}   scores")
    for row in report["rows"]:
        ratio = row["peer_seconds"] / row["ostro_seconds"]
        lines.append(
            f"{row['name']:<18}{row['n']:>4}{row['ostro_seconds']:>10.1f}"
            f"{row['peer_seconds']:>10.1f}{ratio:>8.1f}   "
            f"{row['ostro_score']:.3f} {row['peer_score']:.3f}"
        )
    ours, theirs = (sum(r[f"{who}_seconds"] for r in report["rows"]) for who in ("ostro", "peer"))
    lines.append(f"{'all':<22}{ours:>10.1f}{theirs:>10.1f}{theirs / ours:>8.1f}")
    return lines


def _compared(name: str, questions: Sequence[Any], ours: Answers, theirs: Answers) -> dict:
    row: dict[str, Any] = {"name": name, "n": len(questions)}
    for who, answer in (("ostro", ours), ("peer", theirs)):
        requests = [requests_of(question) for question in questions]
        flat = [request for group in requests for request in group]
        started = time.perf_counter()
        answers = iter(answer(flat[0].request_type, flat))
        row[f"{who}_seconds"] = time.perf_counter() - started
        row[f"{who}_score"] = _score(questions, [[next(answers) for _ in g] for g in requests])
        print(f"{name}: {who} {row[f'{who}_seconds']:.1f} s", flush=True)
    return row


def _score(questions: Sequence[Any], answers: Sequence[Sequence[Any]]) -> float:
    """The mean of the first metric that lm-eval gives."""
    metrics = [
        next(iter(question.task.process_results(question.document, list(given)).values()))
        for question, given in zip(questions, answers, strict=True)
    ]
    return float(sum(metrics) / len(metrics))


def _ostro(model: str) -> Answers:
    llm = ostro.load(model, progress=TerminalProgress(), concurrency=32)
    backend = lm_eval_model(llm, SilentProgress())
    return lambda kind, requests: getattr(backend, kind)(requests)


def _transformers(folder: Path, arguments: argparse.Namespace) -> Answers:
    backend = HFLM(
        pretrained=str(folder),
        device="cpu",
        dtype=arguments.dtype,
        batch_size=arguments.batch,
    )
    return lambda kind, requests: getattr(backend, kind)(requests, disable_tqdm=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path, help="the model in Hugging Face's layout")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--tasks", nargs="+", default=NAMES)
    parser.add_argument("--limit", type=int, default=8, help="documents of each benchmark")
    parser.add_argument("--dtype", default="float32", help="what transformers computes in")
    parser.add_argument("--batch", type=int, default=8, help="of lm-eval's backend")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
