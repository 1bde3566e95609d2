"""Likelihoods of continuations, against the model's own logits."""

import pytest
import torch

import ostro
from ostro.errors import OstroError
from ostro.evaluation.likelihood import Continuation, likelihoods
from ostro.runtime.progress import SilentProgress
from tiny_chat import BOS, save_babbler, text_ids

SILENT = SilentProgress()


@pytest.fixture(scope="module", params=["native", "float32"])
def llm(request, tmp_path_factory):
    folder = save_babbler(tmp_path_factory.mktemp("models") / "m")
    options = {} if request.param == "native" else {"dtype": "float32"}
    return ostro.load(folder, progress=SILENT, concurrency=8, **options)


def _expected(llm, one: Continuation) -> tuple[float, bool]:
    log_p = llm.logits(one.token_ids[:-1]).double().log_softmax(-1)[-one.scored :]
    targets = torch.tensor(one.token_ids[-one.scored :])
    total = log_p[torch.arange(one.scored), targets].sum()
    return float(total), bool((log_p.argmax(-1) == targets).all())


def _cases(llm) -> list[Continuation]:
    shared = [BOS, *text_ids("What is good for the hive is good for the bee. " * 3)]
    ends = ["yes", "no", "perhaps not", "y"]
    cases = [Continuation((*shared, *text_ids(end)), len(end)) for end in ends]
    cases += [Continuation((BOS, *text_ids(text)), len(text)) for text in ("a", "bee", "x" * 100)]
    likeliest = int(llm.logits(shared)[-1].argmax())
    return [*cases, Continuation((*shared, likeliest), 1)]


def test_they_are_those_of_the_logits(llm) -> None:
    cases = _cases(llm)
    found = dict(likelihoods(llm, cases, SILENT))
    assert sorted(found) == list(range(len(cases)))
    for number, one in enumerate(cases):
        logprob, is_greedy = _expected(llm, one)
        assert found[number].logprob == pytest.approx(logprob, abs=2e-3)
        assert found[number].is_greedy is is_greedy
    assert found[len(cases) - 1].is_greedy


def test_a_shared_beginning_is_read_once(llm) -> None:
    beginning = (BOS, *text_ids("The soul becomes dyed with the colour of its thoughts. " * 4))
    cases = [Continuation((*beginning, *text_ids(end)), 2) for end in ("ab", "cd", "ef", "gh")]
    before = llm.core.scheduler.prompt_tokens_read
    assert len(list(likelihoods(llm, cases, SILENT))) == len(cases)
    read = llm.core.scheduler.prompt_tokens_read - before
    assert read < len(beginning) + 4 * (32 + 2)


@pytest.mark.parametrize("one", [Continuation((1, 2), 0), Continuation((1, 2), 2)])
def test_there_is_something_to_score_and_something_before_it(llm, one) -> None:
    with pytest.raises(OstroError, match="needs a token"):
        list(likelihoods(llm, [one], SILENT))


def test_a_text_that_is_too_long_is_refused_before_anything_runs(llm) -> None:
    with pytest.raises(OstroError, match="the context holds"):
        list(likelihoods(llm, [Continuation((1,) * llm.context, 1)], SILENT))
    assert llm.core.is_idle
