"""The benchmarks of ``ostro eval tasks``, model beside parent: in none worse than chance explains.

They take hours. So they are asked only with ``--only benchmarks``; else those are shown that were
measured of both models before, here or by ``ostro eval tasks``, with the same ``--limit``. What
``--data`` lacks is left out, as are programs, which need another permission. A difference's error
adds both models' in squares, since results keep no documents that could be paired; it is worse if
it is below 0 by more than two of them. Twenty benchmarks alike come out worse in about two of five
runs.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from demo_checks.pairing import is_not_below, told, unpaired_difference
from demo_checks.setup import MODEL, PARENT, Setup
from demo_checks.verdict import Verdict, all_of
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation.benchmarks.catalogue import chosen_benchmarks
from ostro.evaluation.benchmarks.run import Benchmarks
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject

NAME = "benchmarks"
DOCUMENTS = 100


def check_benchmarks(setup: Setup) -> Verdict:
    """No worse than the parent by more than two standard errors, benchmark by benchmark."""
    rows = dict(_rows(setup))
    worse = [name for name, row in rows.items() if row["ok"] is False]
    return Verdict(
        name=NAME,
        passed=all_of(row["ok"] for row in rows.values()),
        goal="worse in none",
        result=f"worse in {len(worse)} of {len(rows)}" if rows else "not measured",
        found=rows,
        lines=[
            f"{name:<20}{told(read_estimate(row[MODEL]), 100):>14}"
            f"{told(read_estimate(row[PARENT]), 100):>14}{row['told']:>14}"
            f"  {'worse' if row['ok'] is False else ''}".rstrip()
            for name, row in rows.items()
        ],
    )


def compared(scores: dict[str, Any]) -> dict[str, Any]:
    """Two scores, in plain values, beside each other."""
    difference = unpaired_difference(*(read_estimate(scores[side]) for side in (MODEL, PARENT)))
    told_difference = {"difference": difference.to_dict(), "told": told(difference, 100)}
    return scores | told_difference | {"ok": is_not_below(difference)}


def _rows(setup: Setup) -> Iterator[tuple[str, dict[str, Any]]]:
    for benchmark in chosen_benchmarks(()):
        scores = {}
        for side, subject in setup.sides.items():
            found = _found(setup, benchmark.name, subject)
            if found is not None:
                scores[side] = found
        if len(scores) == len(setup.sides):
            yield benchmark.name, compared(scores)


def _found(setup: Setup, name: str, subject: Subject) -> Any:
    """The score in plain values; None where there is neither a result nor data."""
    measurement = Benchmarks(
        names=(name,), limit=setup.number(DOCUMENTS), data=setup.evaluation, hub=False
    )
    if NAME in setup.asked:
        measurement.check(subject)
        return _score(setup, measurement, subject, setup.results)
    # Reading a benchmark's questions takes seconds: only where there may be something.
    folders = (one for one in setup.known if any((one / subject.key).glob(f"tasks-{name}-*")))
    scores = (_known(setup, measurement, subject, Results(folder)) for folder in folders)
    return next((score for score in scores if score is not None), None)


def _score(setup: Setup, measurement: Benchmarks, subject: Subject, results: Results) -> Any:
    (found,) = measurement.measure(subject, results, setup.progress)["scores"].values()
    return found.get("score")


def _known(setup: Setup, measurement: Benchmarks, subject: Subject, results: Results) -> Any:
    """What was measured before; None also where lm-eval is not there to read the questions."""
    unloaded = replace(subject, load=_no)
    try:
        measurement.check(unloaded)
        return _score(setup, measurement, unloaded, results)
    except OstroError:
        return None


def _no() -> LLM:
    raise OstroError("it was not measured")
