"""Many requests at once: what each gets does not depend on the others, and nothing is lost."""

import random
from collections.abc import Callable

import pytest

import ostro
from ostro.engine.answer import Answer
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.engine.scheduler import StepBudget
from ostro.errors import OstroError
from ostro.model import PAGE_SLOTS
from ostro.runtime.progress import SilentProgress
from tiny_chat import VOCAB_SIZE, save_babbler

CONTEXT = 200


@pytest.fixture(scope="module")
def llm(tmp_path_factory) -> LLM:
    folder = save_babbler(tmp_path_factory.mktemp("babbler"))
    return ostro.load(folder, context=CONTEXT, progress=SilentProgress())


@pytest.fixture
def make_core(llm) -> Callable[..., EngineCore]:
    def make(
        cache_tokens: int = 40 * CONTEXT, *, speculate: bool = True, **budget: int
    ) -> EngineCore:
        return EngineCore(
            llm.model,
            llm.tokenizer,
            context=CONTEXT,
            cache_tokens=cache_tokens,
            budget=StepBudget(**budget),
            speculate=speculate,
        )

    return make


def prompt(length: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(VOCAB_SIZE), k=length)


def request(length: int = 40, seed: int = 0, *, tokens: int = 12, **params) -> Request:
    """A seeded request whose answer has exactly so many tokens, EOS permitting."""
    options = {"temperature": 1.0, "seed": seed, "max_tokens": tokens} | params
    return Request(prompt_ids=prompt(length, seed), params=SamplingParams(**options))


def mixed_requests(count: int) -> list[Request]:
    """Long and short prompts, some with a common beginning, greedy and sampled."""
    chance = random.Random(1)
    requests = []
    for seed in range(count):
        ids = prompt(chance.choice([1, 7, 33, 64, 100, 150]), seed % 5)
        params = SamplingParams(
            temperature=chance.choice([0.0, 1.0]), seed=seed, max_tokens=chance.randint(1, 40)
        )
        requests.append(Request(prompt_ids=[*ids, seed], params=params))
    return requests


def drain(core: EngineCore) -> None:
    for _ in range(5000):
        if core.is_idle:
            return
        core.step()
    raise AssertionError("the engine does not come to an end")


def said(answer: Answer) -> tuple[str, list[int], str | None]:
    assert answer.is_finished
    assert answer.error is None
    pieces = list(answer.pieces)
    return (
        "".join(piece.text for piece in pieces),
        [piece.token_id for piece in pieces],
        pieces[-1].finish_reason,
    )


def run(core: EngineCore, *requests: Request) -> list[tuple[str, list[int], str | None]]:
    answers = [answer for one in requests for answer in core.add(one)]
    drain(core)
    return [said(answer) for answer in answers]


def is_clean(core: EngineCore) -> bool:
    """Whether nobody but the prefix tree holds a page."""
    return core.pool.num_free + core.tree.num_pages == core.pool.size


@pytest.fixture(scope="module")
def alone(llm) -> list[tuple[str, list[int], str | None]]:
    """What each of the mixed requests gets from an engine of its own."""
    results = []
    for one in mixed_requests(32):
        core = EngineCore(llm.model, llm.tokenizer, context=CONTEXT)
        results += run(core, one)
    return results


@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"tokens": 7, "tokens_while_writing": 5},
        {"tokens": 33, "tokens_while_writing": 33},
        {"answers": 3},
    ],
    ids=["usual", "small chunks", "odd chunks", "few at once"],
)
def test_an_answer_does_not_depend_on_its_neighbours(make_core, alone, budget) -> None:
    core = make_core(**budget)
    assert run(core, *mixed_requests(32)) == alone
    assert is_clean(core)


def test_a_warm_cache_changes_no_answer(make_core, alone) -> None:
    core = make_core()
    run(core, *mixed_requests(32))
    read = core.scheduler.prompt_tokens_read
    assert run(core, *mixed_requests(32)) == alone
    assert core.scheduler.prompt_tokens_read - read < read / 3
    assert core.scheduler.prompt_tokens_known > 0


@pytest.mark.parametrize("contexts", [1, 2, 3])
def test_short_of_pages_requests_wait_and_are_never_lost(make_core, alone, contexts) -> None:
    core = make_core(contexts * CONTEXT)
    assert run(core, *mixed_requests(32)) == alone
    assert core.scheduler.preemptions > 0
    assert is_clean(core)


def test_requests_that_come_later_change_nothing(make_core, alone) -> None:
    core, answers = make_core(), []
    for one in mixed_requests(32):
        answers += core.add(one)
        core.step()
    drain(core)
    assert [said(answer) for answer in answers] == alone


def test_several_answers_share_the_prompt_and_differ(make_core) -> None:
    core = make_core()
    answers = run(core, request(45, tokens=40, n=5))
    assert len({text for text, _, _ in answers}) == 5
    assert core.scheduler.prompt_tokens_read == 45
    for choice, answer in enumerate(answers):
        lone = make_core()
        *_, last = lone.add(request(45, tokens=40, n=choice + 1))
        drain(lone)
        assert said(last) == answer


@pytest.mark.parametrize("known", [0, 1, PAGE_SLOTS - 1, PAGE_SLOTS + 1])
def test_requests_that_come_together_read_their_beginning_once(make_core, known) -> None:
    """Also where the tree knows a part of a page of it, such as the BOS that all texts have."""
    shared = prompt(3 * PAGE_SLOTS)
    requests = [
        Request(prompt_ids=[*shared, 1 + number], params=SamplingParams(max_tokens=3))
        for number in range(4)
    ]
    alone = [run(make_core(), one) for one in requests]
    core = make_core()
    if known:
        before = Request(prompt_ids=[*shared[:known], 0], params=SamplingParams(max_tokens=1))
        run(core, before)
    begun = core.scheduler.prompt_tokens_read
    answers = [answer for one in requests for answer in core.add(one)]
    drain(core)
    assert [[said(answer)] for answer in answers] == alone
    assert core.scheduler.prompt_tokens_read - begun == len(shared) - known + len(requests)


@pytest.mark.parametrize("length", [PAGE_SLOTS - 1, PAGE_SLOTS, PAGE_SLOTS + 1])
def test_copies_are_made_only_of_shared_pages(make_core, monkeypatch, length) -> None:
    core, copies = make_core(), []
    copy = core.scheduler._copy_page

    def copy_and_note(source: int, target: int) -> None:
        copies.append(source)
        copy(source, target)

    monkeypatch.setattr(core.scheduler, "_copy_page", copy_and_note)
    run(core, request(length, tokens=5, n=4))
    assert len(copies) == (0 if length == PAGE_SLOTS else 3)


def test_more_answers_than_places_come_all_the_same(make_core) -> None:
    few = run(make_core(answers=2), request(45, n=6))
    assert few == run(make_core(), request(45, n=6))


def test_equal_prompts_at_once_are_read_once(make_core) -> None:
    core = make_core()
    ids = prompt(150)
    run(
        core,
        *(Request(prompt_ids=[*ids, n], params=SamplingParams(max_tokens=2)) for n in range(8)),
    )
    assert core.scheduler.prompt_tokens_read < 150 + 8 * PAGE_SLOTS


def test_a_stream_gets_a_token_at_every_step_while_a_prompt_is_read(make_core) -> None:
    core = make_core(tokens=16, tokens_while_writing=16)
    (writing,) = core.add(request(5, tokens=60))
    core.step()
    core.add(request(150, seed=1))
    while not writing.is_finished:
        before = len(writing.pieces)
        core.step()
        assert len(writing.pieces) == before + 1


def test_a_short_prompt_overtakes_a_long_one(make_core) -> None:
    core = make_core(tokens=16, tokens_while_writing=16)
    (long,) = core.add(request(150, tokens=1))
    core.step()
    (short,) = core.add(request(5, seed=1, tokens=1))
    core.step()
    assert short.is_finished
    assert not long.is_finished


def test_a_long_prompt_waits_for_no_more_than_its_own_length(make_core) -> None:
    core = make_core(tokens=16, tokens_while_writing=16)
    (long,) = core.add(request(150, tokens=1))
    for steps in range(100):
        core.add(request(15, seed=steps, tokens=1))
        core.step()
        if long.is_finished:
            break
    assert steps * 16 < 2 * 150 + 2 * 16


def test_cancelling_frees_pages_at_once(make_core) -> None:
    core = make_core()
    answers = core.add(request(100, tokens=60, n=3)) + core.add(request(90, seed=1))
    for _ in range(4):
        core.step()
    core.cancel(answers[:2])
    assert not core.is_idle
    drain(core)
    assert said(answers[2]) == run(make_core(), request(100, tokens=60, n=3))[2]
    assert is_clean(core)


def test_the_others_go_on_when_the_one_that_reads_the_prompt_is_cancelled(make_core) -> None:
    core = make_core(tokens=32)
    answers = core.add(request(100, n=3))
    core.step()
    core.cancel(answers[:1])
    drain(core)
    assert [said(a) for a in answers[1:]] == run(make_core(), request(100, n=3))[1:]
    assert is_clean(core)


def test_a_mistake_in_one_request_ends_no_other(make_core, monkeypatch) -> None:
    core = make_core()
    good, bad = core.add(request(20))[0], core.add(request(20, seed=1))[0]

    def fail(*_, **__):
        raise OstroError("no such luck")

    monkeypatch.setattr(bad.sampler, "sample", fail)
    drain(core)
    assert str(bad.error) == "no such luck"
    assert said(good) == run(make_core(), request(20))[0]
    assert is_clean(core)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "the prompt has no tokens"),
        ([1] * CONTEXT, f"the prompt has {CONTEXT} tokens and the context holds {CONTEXT}"),
        ([1, VOCAB_SIZE], f"token id {VOCAB_SIZE} is not in the vocabulary of {VOCAB_SIZE}"),
        ([-1], "token id -1 is not in the vocabulary"),
    ],
)
def test_a_request_that_cannot_run_is_refused_at_once(make_core, ids, message) -> None:
    with pytest.raises(OstroError, match=message):
        make_core().add(Request(prompt_ids=ids))


@pytest.mark.parametrize("good", [0, 1, 3, 6])
def test_drafts_are_kept_as_far_as_they_are_right(make_core, good) -> None:
    """Guesses change how many steps an answer takes, and nothing else."""
    expected = run(make_core(), request(40, tokens=30))[0]
    core = make_core(speculate=False)
    (answer,) = core.add(request(40, tokens=30))
    steps = 0
    while not answer.is_finished:
        if answer.generated:
            ahead = expected[1][answer.generated :][: good + 1]
            answer.drafts = [*ahead[:good], *((token + 1) % VOCAB_SIZE for token in ahead[good:])]
        core.step()
        steps += 1
    assert said(answer) == expected
    assert steps <= 2 + 30 // (good + 1)
    assert is_clean(core)


def test_speculation_changes_how_many_steps_are_made_and_nothing_else(make_core) -> None:
    """A text that repeats itself is guessed; the answers stay what they are without."""
    repeats = Request(
        prompt_ids=prompt(9) * 8, params=SamplingParams(max_tokens=60, repetition_penalty=0.2)
    )
    plain, guessing = make_core(speculate=False), make_core()
    assert guessing.speculator is not None
    guessing.speculator.cost.observe(32, 8, 1e-6)  # Rows cost next to nothing, and reading much.
    guessing.speculator.cost.observe(1, 8, 1.0)
    assert run(plain, repeats) == run(guessing, repeats)
    assert guessing.speculator.right > 20


def test_guesses_at_the_end_of_a_prompt_belong_to_one_of_its_answers(make_core) -> None:
    """Where guesses reach into another page, the answers that share the prompt don't share it."""
    asked = request(PAGE_SLOTS - 2, tokens=20, n=4)
    expected = run(make_core(), asked)
    budget = {"tokens": PAGE_SLOTS - 3, "tokens_while_writing": 100}
    core = make_core(speculate=False, **budget)
    answers = core.add(asked)
    core.step()  # All of the prompt but its last token.
    for _ in range(3):
        for answer in core.scheduler.running:
            answer.drafts = expected[answer.choice][1][answer.generated :][:5]
        core.step()
    drain(core)
    assert [said(answer) for answer in answers] == expected
