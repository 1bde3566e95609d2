"""Answers that must have a form, among others: what goes wrong with one is nobody else's matter."""

from collections.abc import Callable

import pytest

import ostro
from ostro.engine.answer import Answer
from ostro.engine.core import EngineCore
from ostro.engine.grammar_state import GrammarState
from ostro.engine.llm import LLM
from ostro.engine.output_format import OutputFormat, Regex
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler, text_ids

FORM = Regex("(ab){8}(a|b){8,12}")
TROUBLE = "the output format can't be enforced any further: it is too much"


@pytest.fixture(scope="module")
def llm(tmp_path_factory) -> LLM:
    folder = save_babbler(tmp_path_factory.mktemp("babbler"))
    return ostro.load(folder, context=200, progress=SilentProgress())


@pytest.fixture
def make_core(llm) -> Callable[..., EngineCore]:
    def make(*, speculate: bool = True) -> EngineCore:
        core = EngineCore(
            llm.model, llm.tokenizer, context=200, cache_tokens=2000, speculate=speculate
        )
        if core.speculator is not None:  # Rows cost next to nothing, and reading much.
            core.speculator.cost.observe(32, 8, 1e-6)
            core.speculator.cost.observe(1, 8, 1.0)
        return core

    return make


def asked(form: OutputFormat | None) -> Request:
    """A prompt that repeats itself, so that there is something to guess."""
    params = SamplingParams(max_tokens=24, logit_bias={97: 9.0, 98: 9.0})
    return Request(prompt_ids=text_ids("ab" * 12), params=params, output_format=form)


def run(core: EngineCore, *requests: Request) -> list[Answer]:
    """All answers, each of which a step has told of when it ended."""
    answers, told = [answer for one in requests for answer in core.add(one)], set[Answer]()
    for _ in range(500):
        if core.is_idle:
            break
        told |= {*core.step()}
    assert core.is_idle
    assert told == {*answers}
    assert core.pool.num_free + core.tree.num_pages == core.pool.size
    return answers


def written(answer: Answer) -> list[int]:
    assert answer.error is None
    return answer.tokens[answer.prompt_length :]


def failing_once(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> list[object]:
    """The states whose ``method`` failed, which the first to come to it does, and for ever."""
    usual, failed = getattr(GrammarState, method), list[object]()

    def fail(state: GrammarState, *arguments: object) -> object:
        if not failed:
            failed.append(state)
        if failed == [state]:
            raise error
        return usual(state, *arguments)

    monkeypatch.setattr(GrammarState, method, fail)
    return failed


def test_a_guess_that_is_too_much_for_a_grammar_changes_nothing(make_core, monkeypatch) -> None:
    requests = asked(FORM), asked(None), asked(FORM)
    expected = [written(answer) for answer in run(make_core(speculate=False), *requests)]
    failed = failing_once(monkeypatch, "allows", OstroError(TROUBLE))
    core = make_core()
    assert [written(answer) for answer in run(core, *requests)] == expected
    assert failed
    assert core.speculator is not None
    assert core.speculator.right > 10


@pytest.mark.parametrize("method", ["mask", "accept", "allows"])
def test_a_grammar_that_fails_ends_its_own_answer(make_core, monkeypatch, method) -> None:
    requests = asked(FORM), asked(None), asked(FORM)
    expected = [written(answer) for answer in run(make_core(), *requests)]
    error = ValueError("nobody foresaw this")
    failed = failing_once(monkeypatch, method, error)
    answers = run(make_core(), *requests)
    assert len(failed) == 1
    broken = [answer for answer in answers if answer.error is not None]
    assert [answer.error for answer in broken] == [error]
    for answer, tokens in zip(answers, expected, strict=True):
        if answer not in broken:
            assert written(answer) == tokens


def test_a_grammar_that_outgrows_its_limits_says_so(make_core, monkeypatch) -> None:
    failing_once(monkeypatch, "mask", OstroError(TROUBLE))
    first, second = run(make_core(), asked(FORM), asked(FORM))
    assert str(first.error or second.error) == TROUBLE
    assert None in (first.error, second.error)
