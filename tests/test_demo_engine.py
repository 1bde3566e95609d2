"""Law 2 on the real demo with the native kernels: neighbours don't matter, to the last bit."""

from collections.abc import Callable
from typing import Any

import pytest

import ostro
from native_library import needs_native
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.engine.scheduler import StepBudget
from ostro.runtime.progress import SilentProgress
from peft_files import random_pairs, save_adapter

pytestmark = [pytest.mark.slow, pytest.mark.demo, needs_native]

CONTEXT = 1024
SYSTEM = "You are a helpful assistant. You answer briefly and to the point. " * 6
QUESTIONS = [
    "What is the capital of France?",
    "Name three colours.",
    "Write a Python function that adds two numbers.",
    'Repeat as JSON, twice: {"name": "John", "address": "123 Main St"}',
    "Tell me a joke about sharks.",
    "Count from one to twenty.",
    "Translate to French: the house is red.",
    "This is awesome! // Positive\nThis is bad! // Negative\nThe food was fine. //",
]


FORMS = [
    ostro.JsonSchema.of({"type": "object", "properties": {"name": {"type": "string"}}}),
    ostro.Choice(("positive", "negative", "neither of the two")),
]


@pytest.fixture(scope="module")
def llm(demo_environment, demo_model, tmp_path_factory) -> LLM:
    """The demo, and an adapter of random numbers on attention and every expert."""
    llm = ostro.load(
        "demo", context=CONTEXT, environment=demo_environment, progress=SilentProgress()
    )
    pairs = random_pairs(llm.model.geometry, rank=4)
    modules = sorted({name.split(".")[-3] for name in pairs})
    folder = tmp_path_factory.mktemp("adapter")
    llm.add_adapter(save_adapter(folder, pairs, target_modules=modules, lora_alpha=1), "random")
    return llm


@pytest.fixture(scope="module")
def requests(llm: LLM) -> list[Request]:
    """32 requests: with and without a long common beginning, greedy and seeded.

    Some answers must have a form, some go through the adapter, and some are steered.
    """
    made = []
    for number in range(32):
        messages: list[dict[str, Any]] = [{"role": "user", "content": QUESTIONS[number % 8]}]
        if number % 3:
            messages.insert(0, {"role": "system", "content": SYSTEM})
        is_long = number % 4 == 0
        options: dict[str, Any] = {"seed": number, "logprobs": 0}
        # Long ones go on past their end, so that how much can be guessed is not the demo's to say.
        options |= {"max_tokens": 48 if is_long else 8 + number, "ignore_eos": is_long}
        if number % 2:
            options |= {"temperature": 0.8, "top_p": 0.95}
        if number % 8 in (3, 7):
            options["output_format"] = FORMS[number % 8 == 7]
        if number % 5 == 4:
            options["adapter"] = "random"
        if number % 11 == 6:
            options["steering"] = {"forbid": [1], "top_k": 3}
        made.append(llm.request(messages, **options))
    return made


@pytest.fixture(scope="module")
def make_core(llm: LLM) -> Callable[..., EngineCore]:
    def make(*, speculate: bool = False, **budget: int) -> EngineCore:
        return EngineCore(
            llm.model,
            llm.tokenizer,
            context=CONTEXT,
            cache_tokens=32 * CONTEXT,
            speculate=speculate,
            budget=StepBudget(**budget),
        )

    return make


def run(core: EngineCore, requests: list[Request]) -> list[list[Any]]:
    """Each answer's tokens with the bits of their probabilities, and the text of each."""
    answers = [core.add(request)[0] for request in requests]
    while not core.is_idle:
        core.step()
    assert all(answer.error is None for answer in answers)
    return [
        [(piece.token_id, piece.text, piece.logprobs.chosen.logprob) for piece in answer.pieces]
        for answer in answers
    ]


@pytest.fixture(scope="module")
def alone(make_core, requests) -> list[list[Any]]:
    return [run(make_core(), [request])[0] for request in requests]


def test_among_others(make_core, requests, alone) -> None:
    assert run(make_core(), requests) == alone


@pytest.mark.parametrize("chunk", [1, 7, 33, 200])
def test_in_chunks_of_any_size(make_core, requests, alone, chunk) -> None:
    few = slice(None) if chunk > 30 else slice(0, 6)
    core = make_core(tokens=chunk, tokens_while_writing=chunk)
    assert run(core, requests[few]) == alone[few]


def test_from_a_warm_prefix_tree(make_core, requests, alone) -> None:
    core = make_core()
    run(core, requests)
    read = core.scheduler.prompt_tokens_read
    assert run(core, requests) == alone
    assert core.scheduler.prompt_tokens_read - read == len(requests)


def guess_always(speculator: Any) -> None:
    """As if every guess were right, and a row or an expert more cost nothing."""
    for match in range(9):
        for _ in range(20):
            speculator.chances.observe(match, right=True)
    speculator.chances.observe = lambda *_, **__: None
    speculator.cost.observe(512, 8, 1e-6)
    speculator.cost.observe(1, 8, 1.0)
    speculator.cost.observe = lambda *_: None
    speculator.cost.new_experts = lambda *_: 0.0


def test_with_speculation(make_core, requests, alone) -> None:
    core = make_core(speculate=True)
    assert core.speculator is not None
    guess_always(core.speculator)
    assert run(core, requests) == alone
    assert core.speculator.right > 50
    assert core.speculator.checked > core.speculator.right


def test_with_pages_for_a_few(llm, requests, alone) -> None:
    preemptions = 0
    for tokens in range(256, 416, 32):
        core = EngineCore(llm.model, llm.tokenizer, context=tokens, cache_tokens=tokens)
        assert run(core, requests) == alone
        preemptions += core.scheduler.preemptions
    assert preemptions > 0  # Answers are short, and which size makes one wait depends on them.
