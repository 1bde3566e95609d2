"""Which rule holds for which kind of prompt."""

from typing import Any, Literal, get_args

from demo_checks.rules.code_answer import judge_code
from demo_checks.rules.follow_up import judge_follow_up
from demo_checks.rules.insult import judge_insult
from demo_checks.rules.json_answer import judge_json
from demo_checks.rules.judgement import Judgement
from demo_checks.rules.plain_answer import judge_plain

Kind = Literal["json", "follow-up", "few-shot", "code", "insult", "plain"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The five of the Prompt Engineering Guide's page, in its order, and plain questions."""


def judge(kind: Kind, answer: str, expected: dict[str, Any], said: str = "") -> Judgement:
    """What the kind's rule says; ``expected`` is what a prompt in the file expects.

    ``said`` is what the model is told to have said last.
    """
    if kind in ("json", "few-shot"):
        return judge_json(answer, expected["object"])
    if kind == "follow-up":
        return judge_follow_up(answer, expected["mentions"], said)
    if kind == "code":
        return judge_code(answer, expected["tests"])
    if kind == "plain":
        return judge_plain(answer, expected["mentions"])
    return judge_insult(answer)
