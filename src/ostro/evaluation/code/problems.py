"""Problems whose answers are programs: HumanEval and MBPP, in the form that models are given them.

HumanEval (Chen et al., 2021): the beginning of a function, to be continued, without an example.
MBPP (Austin et al., 2021), the part that was verified by hand: a task and its tests in words, after
three examples, which are tasks 2 to 4 as in the paper. The prompt is the paper's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData

TASKS = ("humaneval", "mbpp")

_HUMANEVAL_STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
_HUMANEVAL_SIZE = 164
_MBPP_STOP = ("[DONE]",)
_MBPP_EXAMPLES = (2, 3, 4)
_MBPP_TEST_IDS = range(11, 511)


@dataclass(frozen=True)
class Problem:
    """One problem; a completion solves it if the program runs to its end."""

    name: str
    prompt: str
    stop: tuple[str, ...]
    """What ends a completion."""
    head: str
    """What the program begins with, before the completion."""
    tests: str
    """What comes after it."""

    def program(self, completion: str) -> str:
        """What is run."""
        return f"{self.head}{completion}\n{self.tests}\n"


@dataclass(frozen=True)
class Problems:
    """The problems of a task, and what they are to be called in a report."""

    task: str
    title: str
    problems: Sequence[Problem]


def read_problems(data: BenchmarkData, task: str) -> Problems:
    """The problems of one of :data:`TASKS`."""
    if task not in TASKS:
        raise OstroError(f"unknown task {task!r}; known: {', '.join(TASKS)}")
    return _humaneval(data) if task == "humaneval" else _mbpp(data)


def _humaneval(data: BenchmarkData) -> Problems:
    file = "humaneval" if data.has("humaneval") else "humaneval_half"
    records = data.records(file, ["task_id", "prompt", "entry_point", "test"])
    problems = [
        Problem(
            name=record["task_id"],
            prompt=record["prompt"],
            stop=_HUMANEVAL_STOP,
            head=record["prompt"],
            tests=f"{record['test']}\ncheck({record['entry_point']})",
        )
        for record in records
    ]
    numbers = {int(record["task_id"].rpartition("/")[2]) for record in records}
    return Problems("humaneval", _humaneval_title(numbers), problems)


def _humaneval_title(numbers: set[int]) -> str:
    if numbers == set(range(_HUMANEVAL_SIZE)):
        return "HumanEval"
    if all(number % 2 == 0 for number in numbers):
        return "HumanEval (even ids)"
    return "HumanEval (a part)"


def _mbpp(data: BenchmarkData) -> Problems:
    shown = {record["task_id"]: record for record in data.records("mbpp_fewshot", _fields("text"))}
    missing = [number for number in _MBPP_EXAMPLES if number not in shown]
    if missing:
        raise OstroError(f"{data.path('mbpp_fewshot')} lacks task {missing[0]}, an example")
    before = "".join(_mbpp_example(shown[number]) for number in _MBPP_EXAMPLES)
    records = data.records("mbpp_sanitized", [*_fields("prompt"), "test_imports"])
    problems = [
        Problem(
            name=f"MBPP/{record['task_id']}",
            prompt=before + _mbpp_task(record["prompt"], record["test_list"]),
            stop=_MBPP_STOP,
            head="",
            tests="\n".join([*record["test_imports"], *record["test_list"]]),
        )
        for record in records
        if record["task_id"] in _MBPP_TEST_IDS
    ]
    if not problems:
        raise OstroError(f"{data.path('mbpp_sanitized')} holds no test task (ids 11 to 510)")
    return Problems("mbpp", "MBPP (verified by hand)", problems)


def _fields(text: str) -> tuple[str, ...]:
    return ("task_id", text, "code", "test_list")


def _mbpp_example(record: dict[str, Any]) -> str:
    # The file has the line ends of another system.
    code = record["code"].replace("\r\n", "\n")
    return f"{_mbpp_task(record['text'], record['test_list'])}{code}\n[DONE]\n\n"


def _mbpp_task(text: str, tests: Sequence[str]) -> str:
    lines = "\n".join(tests)
    return (
        f"You are an expert Python programmer, and here is your task: {text} "
        f"Your code should pass these tests:\n\n{lines}\n[BEGIN]\n"
    )
