"""The benchmarks of Mixtral's paper: its tables 2 and 4, and the parts of its averages.

Shots are the paper's where it states them. Its own evaluation is not public: scores of the same
name come close to it and are not the same measurement.
"""

from collections.abc import Sequence

from ostro.errors import OstroError
from ostro.evaluation.benchmarks import adapters
from ostro.evaluation.benchmarks.benchmark import VOTE_TEMPERATURE, Benchmark, Source
from ostro.evaluation.benchmarks.languages import LANGUAGE_BENCHMARKS

_QUERY = ("query", "choices", "gold")
_AGIEVAL = ("aqua-rat", "gaokao-english", "logiqa-en", "lsat-*", "sat-en", "sat-math")
_LETTERS = ("A", "B", "C", "D")


def _vote(pattern: str, samples: int) -> dict[str, object]:
    """lm-eval's filters: the answer that most samples agree on."""
    steps = [
        {"function": "regex", "regex_pattern": pattern},
        {"function": "majority_vote"},
        {"function": "take_first"},
    ]
    return {"filter_list": [{"name": f"maj@{samples}", "filter": steps}]}


def _closed_book(name: str, label: str, *, config: str, file: str) -> Benchmark:
    """Questions that are answered in a few words, without a passage to read."""
    return Benchmark(
        name=name,
        label=label,
        group="popular",
        configs=(f"{config}.yaml",),
        shots=5,
        metric="exact_match",
        filter="remove_whitespace",
        most_tokens=32,
        changes={"fewshot_config": {"sampler": "first_n"}},
        sources=(
            Source(
                file=file,
                fields=("question", "answer"),
                # lm-eval's task is called as its file is.
                adapt=adapters.as_it_is(config.rpartition("/")[-1]),
                first_are_examples=5,
                note="its first five questions are the examples and are not asked",
            ),
        ),
        note="answers without the passage; all documents have the same examples",
    )


_POPULAR = (
    Benchmark(
        name="mmlu",
        label="MMLU",
        group="popular",
        configs=("mmlu/default/mmlu_*.yaml",),
        shots=5,
        sources=(
            Source(
                file="mmlu_test",
                fields=("subject", "question", "choices", "answer"),
                adapt=adapters.mmlu,
                examples="mmlu_dev",
            ),
        ),
    ),
    Benchmark(
        name="hellaswag",
        label="HellaSwag",
        group="popular",
        configs=("hellaswag/hellaswag.yaml",),
        metric="acc_norm",
        sources=(
            Source(
                file="hellaswag_val",
                fields=("query", "endings", "label"),
                adapt=adapters.hellaswag,
            ),
        ),
    ),
    Benchmark(
        name="winogrande",
        label="WinoGrande",
        group="popular",
        configs=("winogrande/default.yaml",),
        sources=(
            Source(
                file="winogrande_val",
                fields=("context_options", "continuation", "gold"),
                adapt=adapters.winogrande,
            ),
        ),
        note="what follows the blank is scored, with either option before it",
    ),
    Benchmark(
        name="piqa",
        label="PIQA",
        group="popular",
        configs=("piqa/piqa.yaml",),
        metric="acc_norm",
        sources=(
            Source(
                file="piqa_valid",
                fields=("goal", "sol1", "sol2", "label"),
                adapt=adapters.as_it_is("piqa"),
            ),
        ),
    ),
    Benchmark(
        name="arc-easy",
        label="ARC-e",
        group="popular",
        configs=("arc/arc_easy.yaml",),
        metric="acc_norm",
        sources=(Source(file="arc_easy_test", fields=_QUERY, adapt=adapters.arc("arc_easy")),),
    ),
    Benchmark(
        name="arc-challenge",
        label="ARC-c",
        group="popular",
        configs=("arc/arc_challenge.yaml",),
        metric="acc_norm",
        sources=(
            Source(file="arc_challenge_test", fields=_QUERY, adapt=adapters.arc("arc_challenge")),
        ),
    ),
    _closed_book("naturalquestions", "NQ", config="nq_open/nq_open", file="nq_open_dev"),
    _closed_book("triviaqa", "TriviaQA", config="triviaqa/default", file="triviaqa_validation"),
    Benchmark(
        name="math",
        label="MATH",
        group="popular",
        configs=("minerva_math/minerva_math_[a-z]*.yaml",),
        shots=4,
        metric="exact_match",
        filter="maj@4",
        samples=4,
        most_tokens=512,
        changes=_vote(r"(Final Answer: The final answer is .*?\. I hope it is correct\.)", 4),
        sources=(
            Source(file="math_test", fields=("problem", "solution", "type"), adapt=adapters.math),
        ),
        note=f"maj@4: 4 answers, drawn at temperature {VOTE_TEMPERATURE:g}, vote on the final one",
    ),
    Benchmark(
        name="gsm8k",
        label="GSM8K",
        group="popular",
        configs=("gsm8k/gsm8k-cot.yaml",),
        shots=8,
        metric="exact_match",
        filter="maj@8",
        samples=8,
        most_tokens=256,
        changes={
            **_vote(r"The answer is (\-?[0-9\.\,]*[0-9]+)", 8),
            "generation_kwargs": {"until": ["Q:", "\n\n"]},
        },
        sources=(
            Source(
                file="gsm8k_test",
                fields=("question", "answer"),
                adapt=adapters.as_it_is("gsm8k-cot"),
            ),
            Source(
                file="gsm8k_test_half",
                fields=("question", "answer"),
                adapt=adapters.as_it_is("gsm8k-cot"),
                label="GSM8K even half",
                note="the even half of the test set",
            ),
        ),
        note=f"maj@8: 8 chains of thought, drawn at temperature {VOTE_TEMPERATURE:g}, vote",
    ),
)

_AVERAGES = (
    Benchmark(
        name="openbookqa",
        label="OpenBookQA",
        group="averages",
        configs=("openbookqa/openbookqa.yaml",),
        metric="acc_norm",
        sources=(Source(file="openbookqa_test", fields=_QUERY, adapt=adapters.openbookqa),),
    ),
    Benchmark(
        name="boolq",
        label="BoolQ",
        group="averages",
        configs=("super_glue/boolq/default.yaml",),
        sources=(Source(file="boolq_val", fields=_QUERY, adapt=adapters.boolq),),
        note="yes to everything scores 62.2 % on the whole set, above what guessing gives",
    ),
    Benchmark(
        name="commonsenseqa",
        label="CommonsenseQA",
        group="averages",
        configs=("commonsense_qa/default.yaml",),
        sources=(
            Source(
                file="commonsenseqa_val",
                fields=_QUERY,
                adapt=adapters.commonsenseqa,
                label="CommonsenseQA 4 choices",
                changes={
                    "doc_to_text": "Question: {{question.strip()}}\n"
                    + "\n".join(
                        f"{letter}. {{{{choices['text'][{number}]}}}}"
                        for number, letter in enumerate(_LETTERS)
                    )
                    + "\nAnswer:",
                    "doc_to_choice": list(_LETTERS),
                },
                note="4 of the 5 choices, the right one among them, which makes it easier",
            ),
        ),
    ),
    Benchmark(
        name="bbh",
        label="BBH",
        group="averages",
        configs=("bbh/cot_fewshot/[a-z]*.yaml",),
        shots=3,
        metric="exact_match",
        filter="get-answer",
        most_tokens=512,
        sources=(Source(file="bbh", fields=("task", "input", "target"), adapt=adapters.by_task),),
        note="chains of thought of at most 512 tokens",
    ),
    Benchmark(
        name="agieval",
        label="AGIEval English",
        group="averages",
        configs=tuple(f"agieval/{task}.yaml" for task in _AGIEVAL),
        metric="acc_norm",
        sources=(
            Source(
                file="agieval_en",
                fields=("task", "passage", "question", "options", "label"),
                adapt=adapters.agieval,
                label="AGIEval 7 tasks",
                note="English tasks with choices, without LogiQA",
            ),
        ),
        note="English tasks with choices, 0-shot; the paper's figure is 3-5-shot",
    ),
)

CATALOGUE: tuple[Benchmark, ...] = (*_POPULAR, *_AVERAGES, *LANGUAGE_BENCHMARKS)
"""All of them, in the order of the tables."""


def chosen_benchmarks(names: tuple[str, ...]) -> tuple[Benchmark, ...]:
    """The benchmarks of these names, all for none; an unknown one is refused."""
    require_known(names, [benchmark.name for benchmark in CATALOGUE])
    return tuple(one for one in CATALOGUE if not names or one.name in names)


def require_known(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names that are not among the known ones."""
    for name in names:
        if name not in known:
            raise OstroError(f"there is no benchmark {name!r}; known: {', '.join(known)}")
