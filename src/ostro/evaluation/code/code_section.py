"""How the results of programs are shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from ostro.evaluation.code.sandbox import Limits
from ostro.evaluation.measurement import Found
from ostro.evaluation.plain_values import read_estimate
from ostro.evaluation.report.contents import Cell, Section, Table

# Table 2 of "Mixtral of Experts" (2024), in %.
_PUBLISHED = (
    ("Mixtral 8x7B", (("humaneval", 40.2), ("mbpp", 60.7))),
    ("Llama 2 70B", (("humaneval", 29.3), ("mbpp", 49.8))),
    ("Mistral 7B", (("humaneval", 26.2), ("mbpp", 50.2))),
)


def code_section(found: Mapping[str, Found], limits: Limits, max_tokens: int) -> Section:
    """The share of problems solved, of each model and of those published."""
    tasks = list(dict.fromkeys(task for one in found.values() for task in one["tasks"]))
    rows = [_row(model, one["tasks"], tasks) for model, one in found.items()]
    rows += [_published_row(model, dict(scores), tasks) for model, scores in _PUBLISHED]
    table = Table(
        name="code",
        title="Problems solved at the first attempt, %",
        columns=["model", *(_title(found, task) for task in tasks)],
        rows=rows,
        notes=_notes(found),
    )
    return Section(
        name="code",
        title="Code: HumanEval and MBPP",
        protocol=(
            "One greedy completion for each problem (pass@1). HumanEval: 0 examples, the beginning "
            "of a function to be continued. MBPP: the problems that were verified by hand, 3 "
            f"examples (tasks 2 to 4). At most {max_tokens} tokens, ended by the usual stop texts. "
            "Each program runs in a process of its own, with at most "
            f"{limits.cpu_seconds} s of processor time, {limits.wall_seconds:g} s on the clock, "
            f"{limits.memory_bytes >> 20} MiB of memory and {limits.file_bytes >> 10} KiB a file, "
            "without network, without other processes, in an empty folder. It passes if all of its "
            "tests do."
        ),
        blocks=[table],
        data=dict(found),
    )


def _title(found: Mapping[str, Found], task: str) -> str:
    titles = dict.fromkeys(one["tasks"][task]["title"] for one in found.values())
    return " / ".join(titles)


def _row(model: str, measured: Mapping[str, Any], tasks: Sequence[str]) -> list[Cell]:
    cells = []
    for task in tasks:
        one = measured[task]
        late = f", {one['timed_out']} timed out" if one["timed_out"] else ""
        note = f"n = {one['passed']['n']} of {one['of']}{late}"
        cells.append(Cell(number=read_estimate(one["passed"]), scale=100, note=note))
    return [Cell(text=model), *cells]


def _published_row(model: str, scores: Mapping[str, float], tasks: Sequence[str]) -> list[Cell]:
    cells = [Cell(number=scores[task]) for task in tasks]
    return [Cell(text=f"{model} (published)"), *cells]


def _notes(found: Mapping[str, Found]) -> list[str]:
    guards = sorted({guard for one in found.values() for guard in one["guards"]})
    return [
        "Published: all 164 problems of HumanEval; of MBPP those verified by hand, with a prompt "
        "and examples that were not published.",
        "What confined the programs beside limits and Python's own: "
        f"{', '.join(guards) or 'nothing, since this system has no such means'}.",
    ]
