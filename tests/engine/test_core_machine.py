"""The engine's heart under everything that may happen to it, in any order.

Requests come and are cancelled, the model and the sampler fail, guesses are right or wrong, and
there are far too few pages. After every step each page is held by whom the books say, and the tree
spells what was read; in the end each answer that nobody harmed is what it would be alone.
"""

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import ostro
from ostro.engine.answer import Answer
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.pages import pages_for
from ostro.engine.params import SamplingParams
from ostro.engine.prefix_tree import Node
from ostro.engine.request import Request
from ostro.engine.scheduler import StepBudget
from ostro.errors import OstroError
from ostro.model import PAGE_SLOTS
from ostro.model.steering import LayerSteering, Steering
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler

CONTEXT = 112
NUM_REQUESTS = 40


def make_request(number: int) -> Request:
    """One of a few dozen requests, of which many begin alike."""
    chance = random.Random(number)
    base = random.Random(number % 3).choices(range(256), k=CONTEXT - 1)
    length = chance.choice([1, 2, 31, 32, 33, 50, 64, 65, 90, CONTEXT - 1])
    ids = [*base[: chance.randint(0, length)], *chance.choices(range(256), k=length)][:length]
    params = SamplingParams(
        n=chance.choice([1, 1, 1, 2, 5]),
        temperature=chance.choice([0.0, 0.7]),
        seed=number,
        max_tokens=chance.choice([1, 2, 10, 20, 40]),
        min_tokens=chance.choice([0, 1]),
        stop=chance.choice([(), ("a", "\n")]),
        logprobs=chance.choice([None, None, 2]),
        prompt_logprobs=chance.choice([None, None, None, 1]),
    )
    steering = Steering(layers={0: LayerSteering(forbid=[1])}) if number % 7 == 6 else None
    return Request(
        prompt_ids=ids,
        params=params,
        routing=number % 5 == 4,
        prompt_routing=number % 11 == 10,
        report_from=chance.randint(0, length - 1),
        steering=steering,
    )


REQUESTS = tuple(make_request(number) for number in range(NUM_REQUESTS))


class Fault(Exception):
    """What the tests let the model and the sampler raise."""


class BrokenReport:
    """A report that nothing can be added to."""

    def __getattr__(self, name: str) -> None:
        raise Fault(name)


def said(answer: Answer) -> list[object]:
    """All that an answer told, in plain values."""
    return [
        (
            piece.text,
            piece.token_id,
            piece.finish_reason,
            piece.logprobs,
            piece.routing and piece.routing.to_dict(),
            piece.prompt and piece.prompt.to_dict(),
        )
        for piece in answer.pieces
    ]


def drain(core: EngineCore) -> Iterator[None]:
    for _ in range(30000):
        if core.is_idle:
            return
        core.step()
        yield
    raise AssertionError("the engine does not come to an end")


class Alone:
    """What each request gets from an engine of its own."""

    def __init__(self, llm: LLM) -> None:
        self.llm, self._told = llm, {}

    def told(self, number: int) -> list[list[object]]:
        """The answers to the request of this number."""
        if number not in self._told:
            core = EngineCore(self.llm.model, self.llm.tokenizer, context=CONTEXT, speculate=False)
            answers = core.add(REQUESTS[number])
            for _ in drain(core):
                pass
            self._told[number] = [said(answer) for answer in answers]
        return self._told[number]


def path_to(node: Node | None) -> list[Node]:
    """The nodes from below the root to this one."""
    nodes: list[Node] = []
    while node is not None and node.parent is not None:
        nodes.insert(0, node)
        node = node.parent
    return nodes


def check_pool(core: EngineCore) -> None:
    """Each page is held as often as somebody says that he holds it."""
    pool = core.pool
    held = Counter(page for answer in core.scheduler.running for page in answer.pages)
    held.update(node.page for node in core.tree._order)
    assert [pool.holders(page) for page in range(pool.size)] == [held[p] for p in range(pool.size)]
    assert sorted(pool._free) == [page for page in range(pool.size) if not held[page]]


def check_tree(core: EngineCore) -> None:
    """All nodes hang below a root, children come before parents, no beginning stands twice."""
    order = list(core.tree._order)
    found = [child for root in core.tree._roots.values() for child in root.children.values()]
    for node in found:
        found += node.children.values()
    assert len(found) == len(order)
    assert set(found) == set(order)
    place = {node: index for index, node in enumerate(order)}
    for node in found:
        assert node.parent is not None
        assert node.parent.children[node.tokens] is node
        assert node.is_full or not node.children
        for child in node.children.values():
            assert place[child] < place[node]
            others = [other for other in node.children.values() if other is not child]
            assert not any(other.tokens[: len(child.tokens)] == child.tokens for other in others)


def check_answers(core: EngineCore) -> None:
    """Who runs has the pages that the tree names; who waits has none."""
    running, waiting = core.scheduler.running, core.scheduler.waiting
    assert len(running) <= core.scheduler.budget.answers
    assert [a.number for a in running] == sorted(a.number for a in running)
    keys = [(a.deadline, a.number) for a in waiting]
    assert keys == sorted(keys)
    assert len({*running, *waiting}) == len(running) + len(waiting)
    for answer in waiting:
        assert not answer.pages
        assert answer.computed == 0
    for answer in running:
        assert not answer.is_finished
        assert len(answer.pages) >= pages_for(answer.computed)
        ahead = answer.pages[pages_for(answer.computed) :]
        assert all(core.pool.holders(page) == 1 for page in ahead)
        path = path_to(answer.node)
        assert len(path) == answer.computed // PAGE_SLOTS
        assert [node.page for node in path] == answer.pages[: len(path)]
        assert [t for node in path for t in node.tokens] == answer.tokens[: len(path) * PAGE_SLOTS]


class CoreMachine(RuleBasedStateMachine):
    """One engine, many hands."""

    alone: Alone

    @initialize(
        contexts=st.sampled_from([1, 1, 2, 6]),
        answers=st.sampled_from([1, 2, 4, 32]),
        tokens=st.sampled_from([7, 20, 40, 512]),
        is_guessing=st.booleans(),
    )
    def begin(self, contexts: int, answers: int, tokens: int, is_guessing: bool) -> None:
        llm = self.alone.llm
        self.core = EngineCore(
            llm.model,
            llm.tokenizer,
            context=CONTEXT,
            cache_tokens=contexts * CONTEXT,
            budget=StepBudget(answers=answers, tokens=tokens, tokens_while_writing=tokens),
            speculate=is_guessing,
        )
        if self.core.speculator is not None:  # Rows cost next to nothing, and reading much.
            self.core.speculator.cost.observe(32, 6, 1e-6)
            self.core.speculator.cost.observe(1, 6, 1.0)
        self.asked: list[tuple[int, list[Answer]]] = []
        self.harmed: set[Answer] = set()
        """Answers that were cancelled or that somebody wanted to fail."""
        self.bad: set[Answer] = set()
        self.failures = 0
        self._watch_runner()

    def _watch_runner(self) -> None:
        run = self.core.runner.run

        def fail_or_run(parts, **options):
            if self.failures:
                self.failures -= 1
                raise Fault("this once")
            if any(part.answer in self.bad for part in parts):
                raise Fault("always")
            return run(parts, **options)

        self.core.runner.run = fail_or_run

    @rule(number=st.integers(0, NUM_REQUESTS - 1))
    def ask(self, number: int) -> None:
        self.asked.append((number, self.core.add(REQUESTS[number])))

    @rule(numbers=st.lists(st.integers(0, NUM_REQUESTS - 1), min_size=8, max_size=64))
    def ask_many(self, numbers: list[int]) -> None:
        for number in numbers:
            self.ask(number)

    @rule(times=st.integers(1, 8))
    def step(self, times: int) -> None:
        for _ in range(times):
            self.core.step()
            self.books_are_right()

    @rule(chance=st.randoms(use_true_random=False), right=st.integers(0, 7))
    def guess(self, chance: random.Random, right: int) -> None:
        """Guesses of which the first ``right`` come true, also where no engine would guess."""
        if self.core.speculator is not None:
            return
        for number, answers in self.asked:
            for answer in answers:
                if answer in self.core.scheduler.running and answer.remaining == 1:
                    true = [one[1] for one in self.alone.told(number)[answer.choice]]
                    ahead = true[answer.generated :][:right]
                    drafts = [*ahead, *chance.choices(range(256), k=7)][:7]
                    answer.drafts = drafts[: max(0, answer.limit - len(answer.tokens) - 1)]

    @rule(chance=st.randoms(use_true_random=False), share=st.sampled_from([0.05, 0.3, 1.0]))
    def cancel(self, chance: random.Random, share: float) -> None:
        unwanted = [a for a in self._all() if chance.random() < share]
        self.harmed.update(unwanted)
        self.core.cancel(unwanted)

    @rule()
    def fail_together(self) -> None:
        """The step fails; computed one by one, nobody's part does."""
        if len(self.core.scheduler.running) > 1:
            self.failures = 1
            self._step_that_may_harm()

    @rule(times=st.integers(2, 4))
    def fail_often(self, times: int) -> None:
        self.failures = times
        self._step_that_may_harm()

    @rule(index=st.integers(0, 200))
    def fail_one(self, index: int) -> None:
        """The model cannot compute this answer."""
        if answers := self._all():
            answer = answers[index % len(answers)]
            self.bad.add(answer)
            self._harm(answer)

    @rule(index=st.integers(0, 200))
    def fail_choosing(self, index: int) -> None:
        """No token can be chosen for this answer."""

        def fail(*_):
            raise OstroError("no such luck")

        if answers := self._all():
            answer = answers[index % len(answers)]
            answer.sampler.sample = fail
            self._harm(answer)

    @rule(index=st.integers(0, 200))
    def fail_telling(self, index: int) -> None:
        """Nothing can be told of this answer's prompt."""
        if answers := [answer for answer in self._all() if answer.report is not None]:
            answer = answers[index % len(answers)]
            answer.report = BrokenReport()
            self._harm(answer)

    @invariant()
    def books_are_right(self) -> None:
        if hasattr(self, "core"):
            check_pool(self.core)
            check_tree(self.core)
            check_answers(self.core)

    def teardown(self) -> None:
        if not hasattr(self, "core"):
            return
        self.failures = 0
        for _ in drain(self.core):
            self.books_are_right()
        for number, answers in self.asked:
            for answer in answers:
                assert answer.is_finished
                if answer not in self.harmed:
                    assert answer.error is None
                    assert said(answer) == self.alone.told(number)[answer.choice]
        assert self.core.pool.num_free + self.core.tree.num_pages == self.core.pool.size
        assert self.core.tree.num_unused == self.core.tree.num_pages

    def _all(self) -> list[Answer]:
        return [a for _, answers in self.asked for a in answers if not a.is_finished]

    def _harm(self, answer: Answer) -> None:
        """Before the prompt is read, the others wait for this one, or may have to."""
        group = next(answers for _, answers in self.asked if answer in answers)
        waits = [other for other in group if not (answer.generated or other.generated)]
        self.harmed.update([answer, *waits])

    def _step_that_may_harm(self) -> None:
        before = self._all()
        self.core.step()
        self.failures = 0
        self.harmed.update(a for a in before if isinstance(a.error, Fault))


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Alone:
    folder = save_babbler(tmp_path_factory.mktemp("babbler"), num_hidden_layers=1)
    return Alone(ostro.load(folder, context=CONTEXT, progress=SilentProgress()))


def run_machine(alone: Alone, *, examples: int, steps: int) -> None:
    class Machine(CoreMachine):
        pass

    Machine.alone = alone
    case = Machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    case().runTest()


def test_books_are_right_and_answers_stay_the_same_whatever_happens(alone) -> None:
    run_machine(alone, examples=20, steps=30)


@pytest.mark.slow
def test_the_same_for_longer(alone) -> None:
    run_machine(alone, examples=100, steps=60)
