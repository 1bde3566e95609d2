"""Is the demo what it should be? A trained mixture held against its dense parent, check by check.

    .venv/bin/python benchmarks/demo.py MODEL --data DIR [--parent demo-parent] [--only NAME ...]

Each module of ``demo_checks`` tells the protocol and the goal of its check. Everything is greedy
but where a check says otherwise, and on data that training has not seen. Whatever was measured is
kept in ``--out`` by what the model's file holds, document by document: a call that was stopped goes
on, and another file begins anew. ``--limit`` takes fewer, or more, documents, prompts, pairs or
keys of each kind than a check would; results of another limit are used as far as they go.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from demo_checks.catalogue import CHECKS
from demo_checks.setup import Setup
from demo_checks.verdict import Verdict, table
from machine import default_cache, describe
from ostro.engine.load import locate
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject, open_subject
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress


def main() -> None:
    """Run what is asked for and print what came of it."""
    arguments = _arguments()
    try:
        setup = _setup(arguments)
        verdicts = list(run(setup, arguments.only, arguments.out))
    except OstroError as error:
        raise SystemExit(f"demo: {error}") from error
    report = _report(setup, verdicts)
    print(json.dumps(report, indent=2) if arguments.json else _told(report, verdicts))


def run(setup: Setup, names: Sequence[str], out: Path) -> Iterator[Verdict]:
    """The verdicts, each written into ``out`` as soon as there is one."""
    folder = out / setup.model.key / "verdicts"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        verdict = CHECKS[name](setup)
        text = json.dumps(_report(setup, [verdict]), indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        yield verdict


def _setup(arguments: argparse.Namespace) -> Setup:
    environment, progress = Environment.read(), TerminalProgress()
    located = locate(arguments.model, environment, progress)
    BenchmarkData(arguments.data)  # Refuses a folder that is not there.

    def subject(model: str) -> Subject:
        return open_subject(
            model, environment=environment, progress=progress, threads=arguments.threads
        )

    return Setup(
        model=subject(arguments.model),
        parent=subject(arguments.parent),
        model_path=located.path,
        folder=arguments.data,
        results=Results(arguments.out),
        known=(arguments.out, environment.evaluations),
        limit=arguments.limit,
        asked=frozenset(arguments.asked),
        progress=progress,
    )


def _report(setup: Setup, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "machine": describe(),
        "model": {"name": setup.model.name, "key": setup.model.key},
        "parent": {"name": setup.parent.name, "key": setup.parent.key},
        "limit": setup.limit,
        "checks": [verdict.to_dict() for verdict in verdicts],
    }


def _told(report: dict[str, Any], verdicts: Sequence[Verdict]) -> str:
    head = f"{report['model']['name']} against {report['parent']['name']}; {report['machine']}"
    return "\n".join([head, *table(verdicts)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a name, a folder or a file")
    parser.add_argument("--parent", default="demo-parent", help="the dense model it was made of")
    parser.add_argument("--data", type=Path, required=True, help="with folders eval, preference")
    parser.add_argument("--only", nargs="+", choices=CHECKS, help="some of the checks")
    parser.add_argument("--limit", type=_positive, help="documents, prompts, ... of each kind")
    parser.add_argument("--out", type=Path, default=default_cache() / "demo-checks")
    parser.add_argument("--threads", type=_positive)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.asked = arguments.only or ()
    arguments.only = arguments.only or tuple(CHECKS)
    return arguments


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


if __name__ == "__main__":
    main()
