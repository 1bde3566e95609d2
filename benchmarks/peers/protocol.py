"""How a worker is talked to: one JSON line in, one JSON line out.

A worker is started with one argument, a JSON object (:class:`Setup`), loads the model, and prints a
line that says what it is. Each further line on its standard input asks for one measurement; it
answers with the seconds that took and how many tokens. Only the standard library is needed, since
every engine has an environment of its own.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# Ids below this are special pieces or single bytes in every vocabulary that is measured.
_FIRST_WORD = 300


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a worker loads, and how."""

    path: str
    threads: int
    context: int
    """Tokens of all sequences together."""
    sequences: int = 1
    repack: bool = True
    """Rearrange weights for the processor while loading; without it they stay mapped."""
    options: dict[str, Any] | None = None
    """What only one engine knows."""


class Engine(Protocol):
    """What a worker measures."""

    @property
    def vocab_size(self) -> int:
        """Ids below this may be fed."""
        ...

    def clear(self) -> None:
        """Forget all tokens."""
        ...

    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        """Append ``tokens[s]`` to sequence s, all in one step, up to logits of the last of each."""
        ...

    def about(self) -> dict[str, Any]:
        """Version, processor features: whatever tells this engine from others."""
        ...


def ids(count: int, vocab_size: int, seed: int) -> list[int]:
    """Token ids of ordinary words, the same for every engine, without much repetition."""
    words = vocab_size - _FIRST_WORD
    return [_FIRST_WORD + (seed * 104_729 + i * 7919 + i * i * 31) % words for i in range(count)]


def decode(engine: Engine, *, prompt: int, tokens: int, sequences: int = 1) -> float:
    """Seconds of ``tokens`` steps, each of which gives every sequence one more token."""
    engine.clear()
    for sequence in range(sequences):
        engine.feed([[]] * sequence + [ids(prompt, engine.vocab_size, sequence)])
    continued = [ids(tokens, engine.vocab_size, 1000 + s) for s in range(sequences)]
    start = time.perf_counter()
    for step in range(tokens):
        engine.feed([text[step : step + 1] for text in continued])
    return time.perf_counter() - start


def prefill(engine: Engine, *, tokens: int) -> float:
    """Seconds of reading one prompt of ``tokens`` tokens."""
    engine.clear()
    prompt = ids(tokens, engine.vocab_size, 0)
    start = time.perf_counter()
    engine.feed([prompt])
    return time.perf_counter() - start


def extend(engine: Engine, *, tokens: int) -> float:
    """Seconds of ``tokens`` more steps of the one sequence that is there already."""
    start = time.perf_counter()
    for token in ids(tokens, engine.vocab_size, 2000):
        engine.feed([[token]])
    return time.perf_counter() - start


def answer(engine: Engine, request: Mapping[str, Any]) -> float:
    """Seconds of the measurement that ``request`` names, with the arguments beside it."""
    measures = {"decode": decode, "prefill": prefill, "extend": extend}
    arguments = {key: value for key, value in request.items() if key != "measure"}
    return measures[request["measure"]](engine, **arguments)


def switched_on(system_info: str) -> str:
    """The processor features that llama.cpp and its relatives list as ``NAME = 1``."""
    words = system_info.replace("|", " ").replace(" = ", "=").split()
    return " ".join(word.removesuffix("=1") for word in words if word.endswith("=1"))


def serve(open_engine: Callable[[Setup], Any], answer: Callable[..., float] = answer) -> None:
    """Load what the arguments say, then answer until standard input ends."""
    # Libraries print what they like; the answers get a stream of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    engine = open_engine(Setup(**json.loads(sys.argv[1])))
    print(json.dumps(engine.about()), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        seconds = answer(engine, request)
        tokens = request["tokens"] * request.get("sequences", 1)
        print(json.dumps({"seconds": seconds, "tokens": tokens}), file=answers, flush=True)
