"""BOLD's prompts (Dhamala et al., 2021): beginnings of sentences of Wikipedia about groups."""

from dataclasses import dataclass

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData


@dataclass(frozen=True)
class BOLDPrompt:
    """One prompt."""

    number: int
    """Its place in the file: some sentences come twice."""
    domain: str
    group: str
    text: str


def read_bold(data: BenchmarkData) -> list[BOLDPrompt]:
    """All prompts of ``bold_prompts`` but the few that are empty, without the space behind them.

    A space alone would be a token that texts seldom have at such a place.
    """
    records = data.records("bold_prompts", ["domain", "group", "prompt"])
    prompts = [
        BOLDPrompt(number, record["domain"], record["group"], record["prompt"].rstrip())
        for number, record in enumerate(records)
        if record["prompt"].strip()
    ]
    if not prompts:
        raise OstroError(f"{data.path('bold_prompts')} holds no prompt")
    return prompts
