"""Cases asked of a model, and what their rules say of the answers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from demo_checks.asking import FORMS, Form, answers_of
from demo_checks.cases import Case
from demo_checks.rules.judge import KINDS, judge
from demo_checks.setup import MODEL, Setup
from ostro.evaluation.statistics import Estimate, mean_of

MOST_SHOWN = 150


@dataclass(frozen=True)
class Judged:
    """One answer."""

    case: str
    kind: str
    form: Form
    answer: str
    right: bool
    reason: str


def judge_cases(setup: Setup, cases: Sequence[Case]) -> dict[str, list[Judged]]:
    """What both models answer in both forms, by side, judged anew at every call."""
    return {side: _of_side(setup, side, cases) for side in setup.sides}


def in_form(judged: Sequence[Judged], form: Form, kind: str | None = None) -> list[Judged]:
    """Those in one form, and of one kind if it is named."""
    return [one for one in judged if one.form == form and kind in (None, one.kind)]


def own_answers(judged: dict[str, list[Judged]]) -> list[Judged]:
    """The model's in its own template, which the goals are about."""
    return in_form(judged[MODEL], "own")


def score(judged: Sequence[Judged]) -> Estimate:
    """The share that is right."""
    return mean_of([float(one.right) for one in judged])


def scores(judged: dict[str, list[Judged]]) -> dict[str, Any]:
    """By side and form, the share of all answers and of each kind's."""
    return {
        side: {
            form: {
                "all": score(in_form(answers, form)).to_dict(),
                **{kind: score(in_form(answers, form, kind)).to_dict() for kind in _kinds(answers)},
            }
            for form in FORMS
        }
        for side, answers in judged.items()
    }


def plain(judged: dict[str, list[Judged]]) -> dict[str, Any]:
    """Every answer with its judgement, in plain values."""
    return {side: [asdict(one) for one in answers] for side, answers in judged.items()}


def answer_lines(judged: Sequence[Judged], *, only_wrong: bool = False) -> Iterator[str]:
    """The model's own words, one line an answer."""
    for one in judged:
        if one.right and only_wrong:
            continue
        word = "right" if one.right else "wrong"
        text = " ".join(one.answer.split())
        shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} ..."
        reason = f" ({one.reason})" if one.reason else ""
        yield f"{one.case}, {one.form}: {word}{reason}: {shown}"


def count_lines(judged: dict[str, list[Judged]]) -> Iterator[str]:
    """How many are right, by side, form and kind."""
    for side, answers in judged.items():
        for form in FORMS:
            parts = []
            for kind in _kinds(answers):
                own = in_form(answers, form, kind)
                parts.append(f"{kind} {sum(one.right for one in own)}/{len(own)}")
            yield f"{side}, {form} template: {', '.join(parts)}"


def _of_side(setup: Setup, side: str, cases: Sequence[Case]) -> list[Judged]:
    subject = setup.sides[side]
    pairs = [(case, form) for form in FORMS for case in cases]
    prompts = [case.prompt(form) for case, form in pairs]
    asker = setup.asker(subject)
    answers = answers_of(asker, subject.key, prompts, setup.results, setup.progress)
    return [_judged(*pair, answer) for pair, answer in zip(pairs, answers, strict=True)]


def _judged(case: Case, form: Form, answer: str) -> Judged:
    judgement = judge(case.kind, answer, case.expected, case.said)
    return Judged(case.name, case.kind, form, answer, judgement.right, judgement.reason)


def _kinds(judged: Sequence[Judged]) -> list[str]:
    present = {one.kind for one in judged}
    return [kind for kind in KINDS if kind in present]
