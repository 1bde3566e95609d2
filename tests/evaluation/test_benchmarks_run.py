"""Benchmarks by name: lm-eval's scores, what is missing, and going on after a stop."""

import dataclasses
import json

import pytest

import ostro
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.benchmarks.catalogue import CATALOGUE
from ostro.evaluation.benchmarks.loading import Loader
from ostro.evaluation.benchmarks.run import Benchmarks
from ostro.evaluation.benchmarks.tables import Reference
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler

from .benchmark_files import lm_eval_silence, reference_lm, write_benchmarks, write_file

pytest.importorskip("lm_eval")

SILENT = SilentProgress()
CONTEXT = 1024
COUNT = 6
CHOSEN = ("mmlu", "hellaswag", "winogrande", "piqa", "arc-easy", "openbookqa", "boolq")
OTHERS = ("commonsenseqa", "exams-it", "naturalquestions", "xquad-de")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "m"
    return save_babbler(path, max_position_embeddings=CONTEXT)


@pytest.fixture(scope="module")
def llm(folder):
    return ostro.load(folder, progress=SILENT, dtype="float32", concurrency=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return BenchmarkData(write_benchmarks(tmp_path_factory.mktemp("data"), COUNT))


def _subject(llm, load=None) -> Subject:
    return Subject(
        name="tiny",
        key="0" * 16,
        geometry=llm.model.geometry,
        context=llm.context,
        load=load or (lambda: llm),
    )


def _measure(measurement: Benchmarks, llm, path, load=None) -> dict:
    return measurement.measure(_subject(llm, load), Results(path), SILENT)["scores"]


def _expected(reference, tasks, benchmark) -> tuple[list[float], float]:
    """lm-eval's scores of the documents, and their mean."""
    from lm_eval.evaluator import evaluate

    with lm_eval_silence():
        found = evaluate(reference, {"tasks": dict(tasks)}, bootstrap_iters=0)
    samples = [one for name in tasks for one in found["samples"][name]]
    each = [one[benchmark.metric] for one in samples if one["filter"] == benchmark.filter]
    key = f"{benchmark.metric},{benchmark.filter}"
    sizes = {name: len(task.task_docs) for name, task in tasks.items()}
    whole = sum(found["results"][name][key] * size for name, size in sizes.items())
    return each, whole / sum(sizes.values())


@pytest.mark.slow
def test_scores_are_those_of_lm_eval_on_the_same_documents(llm, folder, data, tmp_path) -> None:
    reference = reference_lm(folder, llm.context - 2)
    measurement = Benchmarks(names=CHOSEN + OTHERS, data=data, hub=False)
    found = _measure(measurement, llm, tmp_path)
    wrong_and_right = set()
    for benchmark in measurement.benchmarks:
        with lm_eval_silence():
            tasks = Loader(data, hub=False).load(benchmark).tasks
        each, mean = _expected(reference, tasks, benchmark)
        score = found[benchmark.name]["score"]
        assert score["n"] == len(each) == COUNT, benchmark.name
        assert score["value"] == pytest.approx(mean), benchmark.name
        assert score["value"] == pytest.approx(sum(each) / len(each)), benchmark.name
        wrong_and_right.update(each)
    assert {0.0, 1.0} <= wrong_and_right


@pytest.mark.slow
def test_accuracy_on_200_documents_of_five_tasks_is_lm_eval_s(llm, folder, tmp_path) -> None:
    reference = reference_lm(folder, llm.context - 2, batch_size=32)
    data = BenchmarkData(write_benchmarks(tmp_path / "data", 200))
    names = ("hellaswag", "winogrande", "piqa", "arc-easy", "boolq")
    measurement = Benchmarks(names=names, data=data, hub=False)
    found = _measure(measurement, llm, tmp_path / "results")
    for benchmark in measurement.benchmarks:
        with lm_eval_silence():
            tasks = Loader(data, hub=False).load(benchmark).tasks
        each, mean = _expected(reference, tasks, benchmark)
        assert found[benchmark.name]["score"]["n"] == len(each) == 200
        assert found[benchmark.name]["score"]["value"] == pytest.approx(mean)
        assert 0 < mean < 1


@pytest.mark.slow
def test_what_was_written_is_what_lm_eval_s_backend_writes(llm, folder, data, tmp_path) -> None:
    reference = reference_lm(folder, llm.context - 2)
    measurement = Benchmarks(names=("naturalquestions",), data=data, hub=False)
    _measure(measurement, llm, tmp_path)
    (path,) = tmp_path.rglob("*.jsonl")
    units = dict(json.loads(line) for line in path.read_text().splitlines()[1:])
    with lm_eval_silence():
        (task,) = Loader(data, hub=False).load(measurement.benchmarks[0]).tasks.values()
        task.build_all_requests()
        expected = reference.generate_until(task.instances, disable_tqdm=True)
    answers = [units[f"nq_open/{number}"]["answers"][0] for number in range(COUNT)]
    assert answers == expected


def test_a_stopped_run_asks_only_what_is_left(llm, data, tmp_path, monkeypatch) -> None:
    measurement = Benchmarks(names=("mmlu", "naturalquestions"), data=data, hub=False)
    whole = _measure(measurement, llm, tmp_path / "whole")
    added = []
    add = Units.add

    def stopping(units, name, value):
        if len(added) == 4:
            raise KeyboardInterrupt
        added.append(name)
        add(units, name, value)

    monkeypatch.setattr(Units, "add", stopping)
    with pytest.raises(KeyboardInterrupt):
        _measure(measurement, llm, tmp_path / "parts")
    assert llm.core.is_idle
    seen = []

    def counting(units, name, value):
        seen.append(name)
        add(units, name, value)

    monkeypatch.setattr(Units, "add", counting)
    assert _measure(measurement, llm, tmp_path / "parts") == whole
    assert len(added) == 4
    assert len(seen) == 2 * COUNT - 4
    assert not set(added) & set(seen)

    def never():
        raise AssertionError("what is known needs no model")

    assert _measure(measurement, llm, tmp_path / "parts", load=never) == whole


def test_a_limit_is_for_each_place_and_spread_over_subjects(llm, data, tmp_path) -> None:
    limited = Benchmarks(names=("mmlu", "piqa"), limit=3, data=data, hub=False)
    found = _measure(limited, llm, tmp_path)
    assert [found[name]["score"]["n"] for name in ("mmlu", "piqa")] == [3, 3]
    assert [found[name]["of"] for name in ("mmlu", "piqa")] == [COUNT, COUNT]
    with lm_eval_silence():
        loaded = Loader(data, hub=False).load(limited.benchmarks[0])
    asked = [one.name for one in loaded.questions(3, 0)]
    assert len({name.partition("/")[0] for name in asked}) == 3
    # A larger limit goes on from there.
    files = sorted(path.name for path in tmp_path.rglob("*.jsonl"))
    _measure(dataclasses.replace(limited, limit=4), llm, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.jsonl")) == files
    assert {one.name for one in loaded.questions(4, 0)} > set(asked)


def test_other_documents_begin_anew(llm, data, tmp_path) -> None:
    one = Benchmarks(names=("piqa",), data=data, hub=False)
    _measure(one, llm, tmp_path / "results")
    other = BenchmarkData(write_benchmarks(tmp_path / "other", COUNT - 1))
    _measure(dataclasses.replace(one, data=other), llm, tmp_path / "results")
    assert len(list((tmp_path / "results").rglob("*.jsonl"))) == 2


def test_an_unknown_name_is_refused_at_once() -> None:
    with pytest.raises(OstroError, match=r"no benchmark 'mlmu'; known: mmlu, hellaswag.*xquad-es"):
        Benchmarks(names=("piqa", "mlmu"))
    with pytest.raises(OstroError, match="--limit 0"):
        Benchmarks(limit=0)


def test_a_context_without_room_for_answers_is_refused_before_loading(llm) -> None:
    def never():
        raise AssertionError("check loads no model")

    small = dataclasses.replace(_subject(llm, never), context=258)
    Benchmarks(names=("mmlu", "xquad-de")).check(small)
    with pytest.raises(OstroError, match="gsm8k wants answers of up to 256 tokens"):
        Benchmarks(names=("gsm8k",)).check(small)


def test_missing_data_is_named_and_loads_no_model(llm, data, tmp_path) -> None:
    def never():
        raise AssertionError("nothing can be asked")

    names = ("triviaqa", "math", "arc-fr", "mgsm-fr", "xquad-es")
    measurement = Benchmarks(names=names, data=data, hub=False)
    found = _measure(measurement, llm, tmp_path, load=never)
    for name, reason in (
        ("triviaqa", "has no triviaqa_validation.jsonl, and the hub is not asked"),
        ("math", "has no math_test.jsonl"),
        ("arc-fr", "the hub is not asked"),
        ("mgsm-fr", "has no mgsm_en_fr_de_es.jsonl"),
        ("xquad-es", "xquad_en_de_es has none of its documents"),
    ):
        assert reason in found[name]["missing"]
    section = measurement.section({"tiny": {"scores": found}})
    cells = [cell for table in section.blocks for row in table.rows for cell in row[1:]]
    assert len(cells) == len(names)
    assert all(cell.missing and cell.number is None for cell in cells)


def test_a_hub_that_cannot_be_reached_is_tried_once(llm, tmp_path, monkeypatch) -> None:
    import datasets

    tried = []

    def unreachable(path, **options):
        tried.append(path)
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    measurement = Benchmarks(names=("triviaqa", "arc-fr", "exams-fr"))
    found = _measure(measurement, llm, tmp_path)
    assert tried == ["mandarjoshi/trivia_qa"]
    assert found["triviaqa"]["missing"].endswith("and the hub cannot be reached")
    assert found["arc-fr"]["missing"] == "the hub cannot be reached"
    assert "not on the hub" in found["exams-fr"]["missing"]


def test_a_broken_file_is_refused(llm, tmp_path) -> None:
    write_file(tmp_path, "piqa_valid", [{"goal": "a", "sol1": "b", "label": 0}])
    broken = Benchmarks(names=("piqa",), data=BenchmarkData(tmp_path), hub=False)
    with pytest.raises(OstroError, match="needs 'sol2'"):
        _measure(broken, llm, tmp_path / "results")


def test_models_stand_side_by_side_below_published_figures(llm, data, tmp_path) -> None:
    shares = {"piqa": 0.836, "mmlu": 0.706, "commonsenseqa": 0.5}
    reference = [Reference("Mixtral 8x7B", shares, note="paper")]
    measurement = Benchmarks(
        names=("piqa", "commonsenseqa", "triviaqa"), data=data, hub=False, reference=reference
    )
    scores = {"scores": _measure(measurement, llm, tmp_path)}
    section = measurement.section({"one": scores, "two": scores})
    popular, averages = section.blocks
    assert popular.columns == ("model", "PIQA", "TriviaQA")
    assert [row[0].text for row in popular.rows] == ["Mixtral 8x7B (published)", "one", "two"]
    published, measured = popular.rows[0][1], popular.rows[1][1]
    assert (published.number, published.scale) == (0.836, 100)
    assert measured.number.value == scores["scores"]["piqa"]["score"]["value"]
    assert (measured.number.count, measured.chance) == (COUNT, 0.5)
    assert popular.rows[0][2].missing == "not published"
    assert averages.columns == ("model", "CommonsenseQA 4 choices")
    assert len(averages.rows) == 3
    assert published.note is None
    assert averages.rows[0][1].note == "published for all of CommonsenseQA"
    assert any("4 of the 5 choices" in note for note in averages.notes)
    assert section.data["one"] == scores


def test_a_prompt_that_was_cut_is_noted(llm, tmp_path) -> None:
    records = [
        {"query": f"Question: {'bee ' * length}?", "choices": list("abcd"), "gold": 0}
        for length in (10, 400)
    ]
    write_file(tmp_path, "arc_easy_test", records)
    measurement = Benchmarks(names=("arc-easy",), data=BenchmarkData(tmp_path), hub=False)
    found = _measure(measurement, llm, tmp_path / "results")
    assert found["arc-easy"]["cut"] == 1
    cell = measurement.section({"m": {"scores": found}}).blocks[0].rows[0][1]
    assert "1 of 2 were longer than the context" in cell.note


def test_names_are_told_apart_and_every_metric_exists() -> None:
    names = [one.name for one in CATALOGUE]
    assert len(set(names)) == len(names)
    labels = [source.label or one.label for one in CATALOGUE for source in one.sources]
    assert len(set(labels)) == len(labels)
    assert all(one.configs or one.config for one in CATALOGUE)
