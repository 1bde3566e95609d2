"""The figures of the serving benchmark, from times that are known."""

import pytest

from serving import make_prompts, rows
from serving_load import Answer, Load, summarise


def test_a_round_is_summarised() -> None:
    answers = [Answer(asked=1.0, times=[1.5, 1.6, 1.8]), Answer(asked=1.0, times=[2.0, 2.1, 2.9])]
    load = summarise(answers, tokens=3, seconds=2.0)
    assert load.tokens_per_second == 3.0
    assert load.first == pytest.approx(0.75)
    assert load.gap == pytest.approx(0.8)


def test_one_token_has_no_gap() -> None:
    assert summarise([Answer(asked=0.0, times=[1.0])], tokens=1, seconds=1.0).gap == 0.0


def test_prompts_share_a_beginning_or_nothing_and_never_come_again() -> None:
    apart, together = (make_prompts(4, seed=7, shared=shared) for shared in (False, True))
    assert len({prompt.split()[0] for prompt in apart}) == 4
    assert len({prompt[:4000] for prompt in together}) == 1
    assert len({*together}) == 4
    assert not {*together} & {*make_prompts(4, seed=8, shared=True)}


def test_times_are_better_where_they_are_shorter() -> None:
    contest = {"ostro": [Load(20.0, 0.1, 0.02)], "llama.cpp": [Load(10.0, 0.4, 0.01)]}
    throughput, first, gap = rows(contest, 32, shared=False)
    assert (throughput.ratio, throughput.goal, throughput.reached) == (2.0, 2.0, True)
    assert (first.ratio, gap.ratio) == (pytest.approx(4.0), pytest.approx(0.5))
