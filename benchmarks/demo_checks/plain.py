"""Plain questions, such as everybody asks first: capitals, bees, the colour of the sky.

``benchmarks/demo_plain.json`` has two dozen, one message each, with a word that the answer must
name. Means over many chats do not see that a model answers "What is the capital of France?" in
broken French; this does. They are asked as the examples are.
"""

from demo_checks.cases import PLAIN, read_cases
from demo_checks.judged import (
    answer_lines,
    count_lines,
    in_form,
    judge_cases,
    own_answers,
    plain,
    scores,
)
from demo_checks.setup import MODEL, PARENT, Setup
from demo_checks.verdict import Verdict


def check_plain(setup: Setup) -> Verdict:
    """As many right as of the parent's, in their own template; Mixtral's is told beside it."""
    judged = judge_cases(setup, read_cases(PLAIN)[: setup.limit])
    own, parents = own_answers(judged), in_form(judged[PARENT], "own")
    right, wanted = (sum(one.right for one in answers) for answers in (own, parents))
    other = sum(one.right for one in in_form(judged[MODEL], "mixtral"))
    return Verdict(
        name="plain",
        passed=right >= wanted,
        goal=f"{wanted}, as the parent",
        result=f"{right} of {len(own)}; {other} in Mixtral's template",
        found={"scores": scores(judged), "answers": plain(judged)},
        lines=[*count_lines(judged), *answer_lines(judged[MODEL], only_wrong=True)],
    )
