"""What checking guesses brings and costs: one answer at a time, with and without, in turn.

    .venv/bin/python benchmarks/speculation.py [--model MODEL] [--rounds N] [--json]

The answers are the same, which is checked. Guesses may nowhere cost more than 3 %; how often they
are right, and what a further row costs on this machine, decides what they bring.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import ostro
from machine import describe
from ostro.engine.core import EngineCore
from ostro.engine.llm import LLM
from ostro.engine.output_format import JsonSchema
from results import Result, compare, print_results

TOKENS = 96
GOAL = 0.97
_FEW_SHOT = "\n".join(
    f"Review: {review}\nAspects: food: {food}; service: {service}; price: {price}\n"
    for review, food, service, price in (
        ("The soup was cold but the waiter was kind.", "negative", "positive", "unknown"),
        ("Cheap, quick and tasty.", "positive", "positive", "positive"),
        ("We waited an hour for burnt bread.", "negative", "negative", "unknown"),
        ("Wonderful fish, though far too dear.", "positive", "unknown", "negative"),
    )
)
_CODE = """\
def total_price(items, tax_rate):
    total = 0
    for item in items:
        price = item["price"] * item["quantity"]
        if item["discount"]:
            price = price - item["discount"]
        total = total + price
    return total + total * tax_rate
"""
_ORDER = (
    "Order 4711: Ada Lovelace, 12 Saint James Square, London, ordered 3 brass gears at 12.50 each "
    "and 2 punched cards at 0.75 each on 10 December 1843."
)
_ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "quantity": {"type": "integer"}},
    "required": ["name", "quantity"],
    "additionalProperties": False,
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "customer": {"type": "string"},
        "address": {"type": "string"},
        "items": {"type": "array", "items": _ITEM, "minItems": 2, "maxItems": 2},
        "date": {"type": "string"},
    },
    "required": ["number", "customer", "address", "items", "date"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Task:
    """A prompt, a text to continue or a message to answer, and how to answer it."""

    prompt: str
    is_chat: bool
    options: Mapping[str, Any]


TASKS = {
    "few-shot": Task(
        f"{_FEW_SHOT}\nReview: Good soup, slow waiter, fair price.\nAspects:", False, {}
    ),
    "JSON by a schema": Task(
        f"{_ORDER}\nWrite the order as JSON.",
        True,
        {"output_format": JsonSchema.of(_SCHEMA)},
    ),
    "code editing": Task(
        f"Write this function again with `total` renamed to `amount`:\n\n```python\n{_CODE}```",
        True,
        {},
    ),
    "a tale": Task("Once upon a time, an old ferryman", False, {"temperature": 0.8}),
    "random tokens": Task("Zq 71 ~ vex;", False, {"temperature": 5.0}),
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    llm = ostro.load(options.model, context=2048)
    results = [measure(llm, name, task, options.rounds) for name, task in TASKS.items()]
    print_results(describe(), results, json_wanted=options.json)


def measure(llm: LLM, name: str, task: Task, rounds: int) -> Result:
    """One row: tokens per second of the answers alone."""
    guessing, plain = llm.new_core(), llm.new_core()
    plain.speculator = None
    speeds: dict[EngineCore, list[float]] = {guessing: [], plain: []}
    for number in range(rounds + 1):
        answers = []
        for core, measured in speeds.items():
            speed, tokens = answer(llm, core, task, seed=number)
            answers.append(tokens)
            if number:  # The first round reads the prompt, and learns what steps cost.
                measured.append(speed)
        assert answers[0] == answers[1], "a guess has changed an answer"
    assert guessing.speculator is not None
    checked, right = guessing.speculator.checked, guessing.speculator.right
    print(f"{name}: {checked} guesses checked, {right} right", file=sys.stderr, flush=True)
    return compare(
        name,
        ostro=median(speeds[guessing]),
        peer=median(speeds[plain]),
        peer_name="ostro without guesses",
        goal=GOAL,
        unit="tokens/s",
    )


def answer(llm: LLM, core: EngineCore, task: Task, seed: int) -> tuple[float, list[int]]:
    """Tokens a second from the first to the last, and the tokens."""
    prompt: Any = [{"role": "user", "content": task.prompt}] if task.is_chat else task.prompt
    request = llm.request(prompt, **{"max_tokens": TOKENS, "seed": seed, **task.options})
    (written,) = core.add(request)
    while not written.generated:
        core.step()
    before, began = written.generated, time.perf_counter()
    while not core.is_idle:
        core.step()
    seconds = time.perf_counter() - began
    if written.error is not None:
        raise written.error
    return (written.generated - before) / seconds, written.tokens[written.prompt_length :]


if __name__ == "__main__":
    main()
