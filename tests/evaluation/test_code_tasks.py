"""HumanEval and MBPP, on models that know an answer beforehand."""

import json

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.code import code_tasks
from ostro.evaluation.code.code_tasks import CodeTasks
from ostro.evaluation.code.problems import read_problems
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_speller

SILENT = SilentProgress()
ANSWER = "    return a + b\ndef x(): return 1/0"
"""Solves the problem of addition, if it is cut at the second function."""


def humaneval(number: int, name: str, expected: int) -> dict[str, object]:
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f"def {name}(a, b):\n",
        "entry_point": name,
        "test": f"def check(candidate):\n    assert candidate(3, 2) == {expected}",
    }


def mbpp(number: int, **changes: object) -> dict[str, object]:
    return {
        "task_id": number,
        "prompt": f"Do task {number}.",
        "text": f"Do example {number}.",
        "code": "def f():\r\n  return 1",
        "test_imports": ["import math"],
        "test_list": ["assert f() == 1", "assert math.pi > 3"],
        **changes,
    }


def write(folder, name, records) -> None:
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / f"{name}.jsonl").write_text(text)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    records = [humaneval(0, "add", 5), humaneval(2, "subtract", 1)]
    write(folder, "humaneval_half", records)
    write(folder, "mbpp_fewshot", [mbpp(number) for number in range(1, 11)])
    write(folder, "mbpp_sanitized", [mbpp(2), mbpp(11), mbpp(510), mbpp(511)])
    return BenchmarkData(folder)


@pytest.fixture(scope="module")
def adder(tmp_path_factory):
    """A model that answers every prompt that ends a line with :data:`ANSWER`."""
    folder = tmp_path_factory.mktemp("models") / "adder"
    save_speller(folder, ANSWER, max_position_embeddings=4096)
    return ostro.load(folder, progress=SILENT, concurrency=2)


def subject_of(llm) -> Subject:
    return Subject("tiny", "a-key", llm.model.geometry, llm.context, lambda: llm)


def refused(*_: object) -> None:
    raise AssertionError("the model is not to be loaded")


def test_nothing_runs_without_permission(data, adder, tmp_path) -> None:
    geometry = adder.model.geometry
    subject = Subject("tiny", "key", geometry, adder.context, refused)
    for action in (
        lambda one: one.check(subject),
        lambda one: one.measure(subject, Results(tmp_path / "results"), SILENT),
    ):
        with pytest.raises(OstroError, match="--allow-code-execution"):
            action(CodeTasks(data=data))


def test_what_cannot_be_measured_is_refused_before_a_model_is_loaded(data, adder, tmp_path) -> None:
    subject = Subject("tiny", "key", adder.model.geometry, 512, refused)

    def check(**fields: object) -> None:
        CodeTasks(**{"data": data, "allow_execution": True} | fields).check(subject)  # type: ignore[arg-type]

    with pytest.raises(OstroError, match="larger --context"):
        check()
    with pytest.raises(OstroError, match="unknown task 'apps'"):
        check(tasks=("apps",), max_tokens=10)
    with pytest.raises(OstroError, match="limit must be 1"):
        check(limit=0, max_tokens=10)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(OstroError, match=r"has no humaneval_half\.jsonl"):
        check(data=BenchmarkData(empty), max_tokens=10)
    check(max_tokens=10)


def test_programs_that_are_right_pass_and_others_do_not(data, adder, tmp_path) -> None:
    one = CodeTasks(data=data, allow_execution=True, tasks=("humaneval",), max_tokens=64)
    found = {"tiny": one.measure(subject_of(adder), Results(tmp_path / "results"), SILENT)}
    task = found["tiny"]["tasks"]["humaneval"]
    assert task["passed"] == {"value": 0.5, "error": 0.5, "n": 2}
    assert task["title"] == "HumanEval (even ids)"
    assert task["of"] == 2
    section = one.section(found)
    (table,) = section.blocks
    assert table.columns == ["model", "HumanEval (even ids)"]
    assert table.rows[0][1].number.value == 0.5
    assert "n = 2 of 2" in table.rows[0][1].note
    assert json.loads(json.dumps(section.data)) == found


def test_completions_end_at_the_next_function(data, adder, tmp_path) -> None:
    results = Results(tmp_path / "results")
    one = CodeTasks(data=data, allow_execution=True, tasks=("humaneval",), max_tokens=64)
    one.measure(subject_of(adder), results, SILENT)
    (path,) = (tmp_path / "results" / "a-key").glob("humaneval-*.jsonl")
    units = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert {value["completion"] for _, value in units} == {"    return a + b"}
    reasons = {name.split()[0]: value["reason"] for name, value in units}
    assert reasons == {"HumanEval/0": "", "HumanEval/2": "AssertionError"}


def test_it_goes_on_where_it_was(data, adder, tmp_path, monkeypatch) -> None:
    results, subject = Results(tmp_path / "results"), subject_of(adder)
    fields = {"data": data, "allow_execution": True, "tasks": ("humaneval",), "max_tokens": 64}
    small = CodeTasks(limit=1, **fields)
    assert small.measure(subject, results, SILENT)["tasks"]["humaneval"]["passed"]["n"] == 1
    ran = []
    run = code_tasks.run
    monkeypatch.setattr(code_tasks, "run", lambda *given: ran.append(given[0]) or run(*given))
    whole = CodeTasks(**fields)
    first = whole.measure(subject, results, SILENT)
    assert len(ran) == 2  # The empty program that tries the sandbox, and the other problem.
    unloadable = Subject("tiny", "a-key", subject.geometry, subject.context, refused)
    assert whole.measure(unloadable, results, SILENT) == first


def test_mbpp_has_three_examples_and_the_test_ids(data) -> None:
    problems = read_problems(data, "mbpp")
    assert [problem.name for problem in problems.problems] == ["MBPP/11", "MBPP/510"]
    prompt = problems.problems[0].prompt
    assert prompt.count("[BEGIN]\n") == 4
    assert prompt.count("def f():\n  return 1\n[DONE]\n\n") == 3
    assert "Do example 2." in prompt
    assert "Do example 1." not in prompt
    assert prompt.endswith(
        "here is your task: Do task 11. Your code should pass these tests:\n\n"
        "assert f() == 1\nassert math.pi > 3\n[BEGIN]\n"
    )


def test_mbpp_runs_all_tests_after_the_completion(data, tmp_path_factory, tmp_path) -> None:
    folder = tmp_path_factory.mktemp("models") / "one"
    save_speller(folder, "def f(): return 1\n[DONE] x", max_position_embeddings=4096)
    llm = ostro.load(folder, progress=SILENT, concurrency=2)
    write(data.folder, "mbpp_sanitized", [mbpp(11), mbpp(12, test_list=["assert f() == 2"])])
    one = CodeTasks(data=data, allow_execution=True, tasks=("mbpp",), max_tokens=64)
    found = one.measure(subject_of(llm), Results(tmp_path / "results"), SILENT)
    assert found["tasks"]["mbpp"]["passed"]["value"] == 0.5
    assert found["tasks"]["mbpp"]["title"] == "MBPP (verified by hand)"


@pytest.mark.parametrize(
    ("numbers", "title"),
    [(range(164), "HumanEval"), ((0, 6), "HumanEval (even ids)"), ((0, 1), "HumanEval (a part)")],
)
def test_a_part_is_reported_under_its_own_name(tmp_path, numbers, title) -> None:
    write(tmp_path, "humaneval", [humaneval(number, "add", 5) for number in numbers])
    assert read_problems(BenchmarkData(tmp_path), "humaneval").title == title
