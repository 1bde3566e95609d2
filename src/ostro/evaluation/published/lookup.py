"""Published numbers by the name of a benchmark, for columns beside one's own."""

from types import MappingProxyType

from ostro.evaluation.published.arena import arena
from ostro.evaluation.published.mixtral_8x7b import mixtral_8x7b
from ostro.evaluation.published.mixtral_8x22b import mixtral_8x22b
from ostro.evaluation.published.reference import Reference, Source
from ostro.evaluation.report.contents import Cell

MODELS = ("Mixtral 8x7B", "Llama 2 70B", "Llama 2 13B", "Llama 2 7B", "Mistral 7B")
"""Whom a model is compared with by default."""


OTHER_NAMES = MappingProxyType({"NQ": "NaturalQuestions", "AGIEval English": "AGIEval"})
"""What a benchmark is called elsewhere."""


def references(
    benchmark: str | None = None, *, model: str | None = None, source: Source | None = None
) -> tuple[Reference, ...]:
    """All published numbers that fit what is given, the authors' printed tables first.

    Benchmarks: MMLU, HellaSwag, WinoGrande, PIQA, ARC-e, ARC-c, NaturalQuestions, TriviaQA,
    HumanEval, MBPP, MATH, GSM8K, AGIEval, BBH, MT-Bench, Chatbot Arena, BBQ, the chart's
    aggregates Knowledge, Reasoning, Comprehension, Math and Code; ``"French MMLU"`` and so on for
    ARC-c, HellaSwag and MMLU in four languages; ``"BOLD gender"`` and so on. One benchmark may
    have several numbers of one model, each by its own protocol.
    """
    benchmark = None if benchmark is None else OTHER_NAMES.get(benchmark, benchmark)
    return tuple(
        found
        for found in (*mixtral_8x7b(), *mixtral_8x22b(), *arena())
        if benchmark in (None, found.benchmark)
        and model in (None, found.model)
        and source in (None, found.source)
    )


def reference(
    benchmark: str, model: str, *, shots: int | None = None, vote: str | None = None
) -> Reference | None:
    """The number to compare with: by the same protocol if there is one, else the paper's first.

    Its ``protocol`` says how it was measured. None where nothing was published.
    """
    found = references(benchmark, model=model)

    def closeness(one: Reference) -> int:
        same_shots = shots is not None and one.column.shots == shots
        same_vote = vote is not None and one.column.vote == vote
        return 2 * same_shots + same_vote

    return max(found, key=closeness, default=None)


def reference_cell(
    benchmark: str, model: str, *, shots: int | None = None, vote: str | None = None
) -> Cell:
    """That number in a table, with a note on its protocol; "not published" where there is none."""
    found = reference(benchmark, model, shots=shots, vote=vote)
    return Cell(missing="not published") if found is None else found.cell(found.protocol or None)


def reference_row(benchmark: str, shots: int | None = None) -> dict[str, Reference]:
    """The numbers of all :data:`MODELS` that have one."""
    found = {model: reference(benchmark, model, shots=shots) for model in MODELS}
    return {model: one for model, one in found.items() if one is not None}
