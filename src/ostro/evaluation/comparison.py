"""Published figures in the form in which measurements show them beside their own."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ostro.evaluation.benchmarks.tables import Reference
from ostro.evaluation.published import MODELS, reference
from ostro.evaluation.published.routing import LAYERS, Choice, repetitions
from ostro.evaluation.routing_analysis.section import PublishedRepeats

_LANGUAGES = {"fr": "French", "de": "German", "es": "Spanish", "it": "Italian"}
_TRANSLATED = {"arc": "ARC-c", "hellaswag": "HellaSwag", "mmlu": "MMLU"}
PUBLISHED_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "mmlu": "MMLU",
        "hellaswag": "HellaSwag",
        "winogrande": "WinoGrande",
        "piqa": "PIQA",
        "arc-easy": "ARC-e",
        "arc-challenge": "ARC-c",
        "naturalquestions": "NaturalQuestions",
        "triviaqa": "TriviaQA",
        "math": "MATH",
        "gsm8k": "GSM8K",
        "bbh": "BBH",
        "agieval": "AGIEval",
    }
    | {
        f"{name}-{language}": f"{spelt} {published}"
        for language, spelt in _LANGUAGES.items()
        for name, published in _TRANSLATED.items()
    }
)
"""What the benchmarks of ``ostro eval tasks`` are called where figures were published."""
# With how many examples, and by which vote, where a benchmark was published in several ways.
_PROTOCOLS = {"hellaswag": (0, None), "arc-challenge": (0, None), "gsm8k": (8, "maj@8")}


def task_references() -> list[Reference]:
    """Mixtral, Llama 2 and Mistral 7B, by the names of the benchmarks."""
    return [Reference(model, dict(_scores(model))) for model in MODELS]


def _scores(model: str) -> Iterator[tuple[str, float]]:
    for name, published in PUBLISHED_NAMES.items():
        shots, vote = _PROTOCOLS.get(name, (None, None))
        found = reference(published, model, shots=shots, vote=vote)
        if found is not None:
            yield name, found.value


def published_repeats() -> list[PublishedRepeats]:
    """Table 5 of Mixtral's paper."""
    shares = {(one.domain, one.choice, one.layer): 100 * one.share for one in repetitions()}

    def row(domain: str, choice: Choice) -> tuple[float, float, float]:
        first, middle, last = (shares[domain, choice, layer] for layer in LAYERS)
        return first, middle, last

    return [
        PublishedRepeats(
            model="Mixtral 8x7B",
            domain=domain,
            first=row(domain, "first"),
            shared=row(domain, "any"),
        )
        for domain in dict.fromkeys(domain for domain, _, _ in shares)
    ]
