"""Recorded answers scored as lm-eval scores them, and records as its tasks read them."""

import importlib.util
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.benchmarks import adapters
from ostro.evaluation.benchmarks.answering import outcomes
from ostro.evaluation.benchmarks.catalogue import chosen_benchmarks
from ostro.evaluation.benchmarks.loading import Loader, NoDataError, prompt_of
from ostro.evaluation.benchmarks.squad import squad_scores

from .benchmark_files import lm_eval_silence, write_benchmarks, write_file

lm_eval = pytest.importorskip("lm_eval")

QUESTIONS = [
    {"question": "A hive has 9 bees and 9 come. How many?", "answer": "9 + 9 = 18\n#### 18"},
    {"question": "A queen lays 500 eggs, twice. How many?", "answer": "500 * 2\n#### 1,000"},
    {"question": "What do 3 jars at $4 cost?", "answer": "3 * 4 = 12\n#### 12"},
]
RECORDED = [
    # A majority that is right, among answers in many forms.
    ["9 + 9 = 18. The answer is 18.", "The answer is 18", "So. The answer is 18.\n"] * 2
    + ["The answer is 17.", "I do not know."],
    # Equal values in different spellings do not vote together.
    ["The answer is 1,000."] * 4 + ["The answer is 1000."] * 3 + ["The answer is 2."],
    # Those without an answer agree with each other.
    ["It is $12.", "12", "The answer is twelve.", "..."] * 2,
]


class _Recorded:
    """A harness whose answers are known."""

    def __init__(self, answers) -> None:
        self._answers, self._prompts = answers, []

    def written(self, context, options, seed, n):
        self._prompts.append((context, dict(options), seed, n))
        from ostro.evaluation.benchmarks.harness import Written

        return Written(None, 0)

    def write(self, asked, label):
        yield from ((n, self._answers[n]) for n in reversed(range(len(asked))))

    @property
    def prompts(self):
        return self._prompts


def _gsm8k(folder: Path):
    write_file(folder, "gsm8k_test", QUESTIONS)
    with lm_eval_silence():
        return Loader(BenchmarkData(folder), hub=False).load(chosen_benchmarks(("gsm8k",))[0])


def _lm_eval_votes(recorded) -> list[float]:
    """lm-eval's own task of self-consistency, and its own evaluator, on the same answers."""
    import datasets
    from lm_eval.api.model import LM
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks._yaml_loader import load_yaml

    class Reader(LM):
        def loglikelihood(self, requests):
            raise AssertionError

        loglikelihood_rolling = loglikelihood

        def generate_until(self, requests):
            assert len(requests) == sum(map(len, recorded))
            return [text for answers in recorded for text in answers]

    folder = Path(lm_eval.__file__).parent / "tasks" / "gsm8k"
    config = load_yaml(folder / "gsm8k-cot-self-consistency.yaml")
    config.pop("tag")
    table = datasets.Dataset.from_list(QUESTIONS)
    config |= {"custom_dataset": lambda **_: {"test": table}, "repeats": 8}
    with lm_eval_silence():
        task = ConfigurableTask(config=config)
        task.set_fewshot_seed(0)
        found = evaluate(Reader(), {"tasks": {"gsm8k": task}}, bootstrap_iters=0)
    samples = [one for one in found["samples"]["gsm8k"] if one["filter"] == "maj@8"]
    return [one["exact_match"] for one in sorted(samples, key=lambda one: one["doc_id"])]


def test_gsm8k_votes_as_lm_eval_does(tmp_path) -> None:
    loaded = _gsm8k(tmp_path)
    questions = loaded.questions(None, 0)
    harness = _Recorded(RECORDED)
    found = {
        question.number: outcome
        for question, outcome in outcomes(harness, questions, "maj@8", 0, "gsm8k")
    }
    votes = [found[number].metrics["exact_match"] for number in range(len(QUESTIONS))]
    assert votes == _lm_eval_votes(RECORDED) == [1.0, 1.0, 0.0]
    assert found[0].answers == RECORDED[0]
    contexts, options, seeds, counts = zip(*harness.prompts, strict=True)
    assert counts == (8, 8, 8)
    assert len(set(seeds)) == 3
    assert all(text.count("The answer is") == 8 and text.endswith("\nA:") for text in contexts)
    assert options[0] == {
        "until": ["Q:", "\n\n"],
        "do_sample": True,
        "temperature": 0.7,
        "max_gen_toks": 256,
    }


def test_a_half_is_called_by_its_own_name(tmp_path) -> None:
    write_file(tmp_path, "gsm8k_test_half", QUESTIONS)
    (benchmark,) = chosen_benchmarks(("gsm8k",))
    with lm_eval_silence():
        loaded = Loader(BenchmarkData(tmp_path), hub=False).load(benchmark)
    assert loaded.label == "GSM8K even half" != benchmark.label
    # The whole set is preferred.
    assert _gsm8k(tmp_path).label == "GSM8K"


@pytest.mark.parametrize(
    ("name", "choices", "ending"),
    [
        ("mmlu", [" A", " B", " C", " D"], "\nAnswer:"),
        ("commonsenseqa", [" A", " B", " C", " D"], "\nAnswer:"),
        ("boolq", [" no", " yes"], "?\nAnswer:"),
        ("exams-it", [" A", " B", " C"], "\nRisposta:"),
    ],
)
def test_prompts_read_as_lm_eval_words_them(tmp_path, name, choices, ending) -> None:
    data = BenchmarkData(write_benchmarks(tmp_path, 3))
    with lm_eval_silence():
        loaded = Loader(data, hub=False).load(chosen_benchmarks((name,))[0])
        question = loaded.questions(None, 0)[0]
        prompt = prompt_of(question.task, question.document)
        requests = question.task.construct_requests(
            doc=question.document, ctx=prompt, metadata=(name, 0, 1)
        )
    assert prompt.endswith(ending)
    assert [one.args for one in requests] == [(prompt, choice) for choice in choices]
    shots = loaded.benchmark.shots
    assert prompt.count(ending) == shots + 1


def test_winogrande_s_blank_is_what_differs() -> None:
    record = {
        "context_options": ["The jar was in the box so Ann", "The jar was in the box so Anne Lee"],
        "continuation": "was glad.",
        "gold": 1,
    }
    assert adapters.winogrande(record) == (
        "default",
        {
            "sentence": "The jar was in the box so _ was glad.",
            "option1": "Ann",
            "option2": "Anne Lee",
            "answer": "2",
        },
    )
    nested = adapters.winogrande({**record, "context_options": ["the jar", "the jar lid"]})
    assert (nested[1]["option1"], nested[1]["option2"]) == ("jar", "jar lid")


@pytest.mark.parametrize(
    ("context", "before", "begun"),
    [
        ("A man sits on a roof. he", "A man sits on a roof.", "he"),
        ("He runs. Then, at last, the boy", "He runs. Then, at last, the boy", ""),
        ("He runs. in the end, the boy", "He runs.", "in the end, the boy"),
        ("Blow dry your hair. Wash it.", "Blow dry your hair. Wash it.", ""),
    ],
)
def test_hellaswag_s_context_is_parted_where_a_sentence_begins(context, before, begun) -> None:
    record = {"query": f"Work: {context}", "endings": list("abcd"), "label": 2}
    _, document = adapters.hellaswag(record)
    assert (document["ctx_a"], document["ctx_b"]) == (before, begun)
    assert (document["activity_label"], document["label"]) == ("Work", "2")


def test_agieval_s_prompt_names_the_last_choice() -> None:
    record = {
        "task": "sat-math",
        "passage": None,
        "question": "How many?",
        "options": ["(A)1", "(B)2", "(C)3"],
        "label": "C",
    }
    assert adapters.agieval(record) == (
        "sat-math",
        {
            "query": "Q: How many? Answer Choices: (A)1 (B)2 (C)3\n"
            "A: Among A through C, the answer is",
            "choices": ["(A)1", "(B)2", "(C)3"],
            "gold": [2],
        },
    )


def test_records_of_other_languages_and_splits_are_left_out() -> None:
    exam = {
        "lang": "it",
        "split": "test",
        "subject": "Physics",
        "question": "?",
        "choices": ["a", "b"],
        "labels": ["A", "B"],
        "answer": "B",
    }
    assert adapters.exams("it")(exam)[1]["gold"] == 1
    for change in ({"lang": "de"}, {"split": "train"}, {"answer": "@"}):
        assert adapters.exams("it")({**exam, **change}) is None
    sum_ = {"lang": "fr", "question": "?", "answer": "70,000"}
    assert adapters.mgsm("fr")(sum_)[1]["answer_number"] == 70000
    assert adapters.mgsm("de")(sum_) is None
    assert adapters.xcopa({"split": "val"}) is None


def test_every_subject_of_math_has_a_task() -> None:
    subjects = ("Algebra", "Counting & Probability", "Geometry", "Intermediate Algebra")
    subjects += ("Number Theory", "Prealgebra", "Precalculus")
    folder = Path(lm_eval.__file__).parent / "tasks"
    (benchmark,) = chosen_benchmarks(("math",))
    (pattern,) = benchmark.configs
    named = {adapters.math({"type": one, "problem": "", "solution": ""})[0] for one in subjects}
    assert named == {path.stem for path in folder.glob(pattern)}


@pytest.mark.parametrize(
    ("task", "records", "message"),
    [
        ("mmlu", {"subject": "beekeeping"}, "no task 'mmlu_beekeeping'"),
        ("bbh", {"task": "dancing"}, "no task 'dancing'"),
    ],
)
def test_a_subject_that_lm_eval_has_not_is_refused(tmp_path, task, records, message) -> None:
    whole = {"question": "?", "choices": list("abcd"), "answer": 0, "input": "", "target": ""}
    for name in ("mmlu_test", "mmlu_dev", "bbh"):
        write_file(tmp_path, name, [whole | records])
    with pytest.raises(OstroError, match=message):
        Loader(BenchmarkData(tmp_path), hub=False).load(chosen_benchmarks((task,))[0])


def test_examples_that_are_missing_are_named(tmp_path) -> None:
    write_benchmarks(tmp_path, 2)
    (tmp_path / "mmlu_dev.jsonl").unlink()
    with pytest.raises(NoDataError, match="has no mmlu_dev with its examples"):
        Loader(BenchmarkData(tmp_path), hub=False).load(chosen_benchmarks(("mmlu",))[0])


@pytest.mark.parametrize(
    ("expected", "given", "f1", "exact"),
    [
        ("the Carolina Panthers", "Panthers of Carolina", 0.8, 0),
        ("308", "308.", 1, 1),
        ("A bee", "the Bee!", 1, 1),
        ("a bee", "bees", 0, 0),
        ("im Jahr 1973", "1973 im Herbst, im Jahr", 0.75, 0),
        ("the", "", 1, 1),
        ("honey", "", 0, 0),
        ("honey honey", "honey", 2 / 3, 0),
    ],
)
def test_words_are_compared_as_squad_does(expected, given, f1, exact) -> None:
    found = squad_scores({"answers": {"text": [expected, "another"]}}, [given])
    assert found == {"f1": pytest.approx(f1), "exact_match": exact}


@pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None, reason="lm-eval[math] is not installed"
)
def test_math_votes_on_the_final_answer(tmp_path) -> None:
    record = {"problem": "What is $9 + 9$?", "solution": "It is $\\boxed{18}$.", "type": "Algebra"}
    write_file(tmp_path, "math_test", [record])
    with lm_eval_silence():
        loaded = Loader(BenchmarkData(tmp_path), hub=False).load(chosen_benchmarks(("math",))[0])
        questions = loaded.questions(None, 0)
        right = "Final Answer: The final answer is $18$. I hope it is correct."
        wrong = right.replace("18", "17")
        for answers, score in (
            (["So. " + right, right, wrong, "?"], 1.0),
            ([right, *[wrong] * 3], 0),
        ):
            harness = _Recorded([answers])
            ((_, outcome),) = outcomes(harness, questions, "maj@4", 0, "math")
            assert outcome.metrics["exact_match"] == score
    assert harness.prompts[0][0].count("Final Answer:") == 4


@pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is not None, reason="lm-eval[math] is installed"
)
def test_math_without_its_packages_says_so(tmp_path) -> None:
    write_file(tmp_path, "math_test", [{"problem": "?", "solution": "!", "type": "Algebra"}])
    with pytest.raises(NoDataError, match="lm-eval needs more packages"):
        Loader(BenchmarkData(tmp_path), hub=False).load(chosen_benchmarks(("math",))[0])
