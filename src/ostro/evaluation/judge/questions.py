"""MT-Bench's questions (Zheng et al., 2023): 80 in eight categories, with two turns each."""

from dataclasses import dataclass

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData

WITH_REFERENCE = ("math", "reasoning", "coding")
"""Categories in which the judge is shown what is right."""
# How answers are drawn, as in MT-Bench's own code; elsewhere greedily.
_TEMPERATURES = (("writing", 0.7), ("roleplay", 0.7), ("stem", 0.1), ("humanities", 0.1))


@dataclass(frozen=True)
class Question:
    """What is asked, in two turns."""

    name: str
    category: str
    turns: tuple[str, str]
    reference: tuple[str, str] | None
    """Right answers to both; None where there is no right and wrong."""

    @property
    def temperature(self) -> float:
        """What answers are drawn with; 0 is greedy."""
        return dict(_TEMPERATURES).get(self.category, 0.0)


def read_questions(data: BenchmarkData) -> list[Question]:
    """All questions of ``mt_bench_questions``."""
    records = data.records("mt_bench_questions", ["question_id", "category", "turns", "reference"])
    questions = []
    for record in records:
        name, turns, reference = str(record["question_id"]), record["turns"], record["reference"]
        needs = record["category"] in WITH_REFERENCE
        if len(turns) != 2 or (needs and len(reference or ()) != 2):
            raise OstroError(f"{data.path('mt_bench_questions')}: question {name} lacks a turn")
        right = (reference[0], reference[1]) if needs else None
        questions.append(Question(name, record["category"], (turns[0], turns[1]), right))
    if not questions:
        raise OstroError(f"{data.path('mt_bench_questions')} holds no question")
    return questions
