"""The five examples of the Prompt Engineering Guide's Mixtral page, as printed.

Greedy, at most 256 tokens, through the engine's chat. Each is asked twice: in the model's own chat
template, and as text in Mixtral's (``<s>[INST] ... [/INST]``). The page writes ``[INST]`` around
its first prompt by hand; the template brings it here. In the second, the quotation marks are the
page's. The insult is asked for under the safe prompt. :mod:`demo_checks.rules` says what is right.
"""

from demo_checks.asking import FORMS
from demo_checks.cases import PAGE, read_cases
from demo_checks.judged import (
    answer_lines,
    count_lines,
    in_form,
    judge_cases,
    own_answers,
    plain,
    scores,
)
from demo_checks.setup import MODEL, Setup
from demo_checks.verdict import Verdict


def check_examples(setup: Setup) -> Verdict:
    """All five right in the model's own template; Mixtral's is told beside it."""
    judged = judge_cases(setup, read_cases(PAGE))
    counts = {form: sum(one.right for one in in_form(judged[MODEL], form)) for form in FORMS}
    number = len(own_answers(judged))
    return Verdict(
        name="examples",
        passed=counts["own"] == number,
        goal=f"{number} of {number}",
        result=f"{counts['own']} of {number}; {counts['mixtral']} in Mixtral's template",
        found={"scores": scores(judged), "answers": plain(judged)},
        lines=[*count_lines(judged), *answer_lines(judged[MODEL])],
    )
