"""Benchmarks in French, German, Spanish and Italian.

Those of the paper's table 4 are translations by Okapi, which are on the hub alone. The others stand
beside them where there are local files, under their own names.
"""

from ostro.evaluation.benchmarks import adapters
from ostro.evaluation.benchmarks.benchmark import Benchmark, Source
from ostro.evaluation.benchmarks.squad import squad_scores

_LANGUAGES = {"fr": "French", "de": "German", "es": "Spanish", "it": "Italian"}
_QUESTION = {"fr": "Question :", "de": "Frage:", "es": "Pregunta:", "it": "Domanda:"}
_ANSWER = {"fr": "Réponse :", "de": "Antwort:", "es": "Respuesta:", "it": "Risposta:"}
_CONTEXT = {"de": "Kontext:", "es": "Contexto:"}


def _okapi(language: str) -> tuple[Benchmark, ...]:
    """Translations of the paper's three English benchmarks."""
    tables = (
        ("arc", "ARC-c", "okapi/arc_multilingual/arc", 0, "acc_norm"),
        ("hellaswag", "HellaSwag", "okapi/hellaswag_multilingual/hellaswag", 0, "acc_norm"),
        ("mmlu", "MMLU", "okapi/mmlu_multilingual/m_mmlu", 5, "acc"),
    )
    return tuple(
        Benchmark(
            name=f"{name}-{language}",
            label=f"{_LANGUAGES[language]} {label}",
            group="languages",
            configs=(f"{path}_{language}.yaml",),
            shots=shots,
            metric=metric,
            note="translated by a machine (Okapi)",
        )
        for name, label, path, shots, metric in tables
    )


def _exams(language: str) -> Benchmark:
    """School examinations; lm-eval has none in these languages."""
    config = {
        "task": f"exams_{language}",
        "output_type": "multiple_choice",
        "test_split": "test",
        "doc_to_text": f"{_QUESTION[language]} {{{{question}}}}\n"
        "{% for choice in choices %}{{letters[loop.index0]}}. {{choice}}\n{% endfor %}"
        f"{_ANSWER[language]}",
        "doc_to_choice": "letters",
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    fields = ("lang", "split", "subject", "question", "choices", "labels", "answer")
    return Benchmark(
        name=f"exams-{language}",
        label=f"{_LANGUAGES[language]} EXAMS",
        group="languages-local",
        config=config,
        sources=(Source(file="exams_fr_de_es_it", fields=fields, adapt=adapters.exams(language)),),
        hub=False,
        note="school examinations, 3 to 5 lettered choices",
    )


def _mgsm(language: str) -> Benchmark:
    """Mathematics in words, translated by people."""
    return Benchmark(
        name=f"mgsm-{language}",
        label=f"{_LANGUAGES[language]} MGSM",
        group="languages-local",
        configs=(f"mgsm/native_cot/mgsm_native_cot_{language}.yaml",),
        metric="exact_match",
        filter="flexible-extract",
        most_tokens=256,
        sources=(
            Source(
                file="mgsm_en_fr_de_es",
                fields=("lang", "question", "answer"),
                adapt=adapters.mgsm(language),
                label=f"{_LANGUAGES[language]} MGSM even half",
                note="every other question",
            ),
        ),
        note="one chain of thought, 0-shot, and the last number in it; published with 8 shots",
    )


def _xquad(language: str) -> Benchmark:
    """Answers that stand in a paragraph. lm-eval's own configuration needs transformers."""
    config = {
        "task": f"xquad_{language}",
        "dataset_path": "google/xquad",
        "dataset_name": f"xquad.{language}",
        "output_type": "generate_until",
        "validation_split": "validation",
        "doc_to_text": f"{_CONTEXT[language]} {{{{context}}}}\n\n"
        f"{_QUESTION[language]} {{{{question}}}}\n\n{_ANSWER[language]}",
        "doc_to_target": '{{answers["text"][0]}}',
        "process_results": squad_scores,
        "generation_kwargs": {"until": ["\n"], "do_sample": False},
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True}
            for name in ("exact_match", "f1")
        ],
    }
    return Benchmark(
        name=f"xquad-{language}",
        label=f"{_LANGUAGES[language]} XQuAD",
        group="languages-local",
        config=config,
        metric="f1",
        most_tokens=48,
        sources=(
            Source(
                file="xquad_en_de_es",
                fields=("lang", "context", "question", "answers"),
                adapt=adapters.xquad(language),
            ),
        ),
        note="F1 of the words",
    )


_XCOPA = Benchmark(
    name="xcopa-it",
    label="Italian XCOPA",
    group="languages-local",
    configs=("xcopa/default_it.yaml",),
    sources=(
        Source(
            file="xcopa_it",
            fields=("split", "premise", "choice1", "choice2", "question", "label"),
            adapt=adapters.xcopa,
        ),
    ),
    note="which of two is the cause, or the effect",
)

LANGUAGE_BENCHMARKS: tuple[Benchmark, ...] = (
    *(one for language in _LANGUAGES for one in _okapi(language)),
    *(_exams(language) for language in _LANGUAGES),
    *(_mgsm(language) for language in ("fr", "de", "es")),
    _XCOPA,
    *(_xquad(language) for language in _CONTEXT),
)
"""All of them, in the order of the tables."""
