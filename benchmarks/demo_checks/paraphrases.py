"""Other prompts of the five kinds, which no training has seen.

``benchmarks/demo_prompts.json`` has nine of each, with other names, values, topics and functions
than the page's. They are asked and judged as the examples are. The score is the share of right
answers over all kinds; its standard error is over prompts.
"""

from itertools import groupby

from demo_checks.cases import PARAPHRASES, Case, read_cases
from demo_checks.judged import (
    answer_lines,
    count_lines,
    in_form,
    judge_cases,
    own_answers,
    plain,
    score,
    scores,
)
from demo_checks.pairing import told
from demo_checks.setup import MODEL, Setup
from demo_checks.verdict import Verdict

GOAL = 0.8


def check_paraphrases(setup: Setup) -> Verdict:
    """Four of five right in the model's own template; Mixtral's is told beside it."""
    judged = judge_cases(setup, chosen_cases(setup.limit))
    own, other = score(own_answers(judged)), score(in_form(judged[MODEL], "mixtral"))
    return Verdict(
        name="paraphrases",
        passed=own.value >= GOAL,
        goal=f"{GOAL:.0%}",
        result=f"{told(own, 100)} %; {told(other, 100)} % in Mixtral's template",
        found={"scores": scores(judged), "answers": plain(judged)},
        lines=[*count_lines(judged), *answer_lines(judged[MODEL], only_wrong=True)],
    )


def chosen_cases(limit: int | None) -> list[Case]:
    """The first ``limit`` of each kind; the file has them kind by kind."""
    groups = groupby(read_cases(PARAPHRASES), key=lambda case: case.kind)
    return [case for _, group in groups for case in list(group)[:limit]]
