"""ostro's server beside llama.cpp's, on one file: streams, prefixes, and what HTTP costs.

    .venv/bin/python benchmarks/serving.py [--type TYPE] [--streams N]... [--alone]

The file is the demo, converted to Q4_0 unless another ``--type`` is given.

Both servers run at the same time and are asked in turn, round by round; figures are medians over
the rounds. Rows: tokens per second of all streams together, time to the first token, the time
between tokens that 95 % stay below; each for prompts that have nothing in common and for prompts
with a prefix of about 1,000 tokens in common. Then what a known prefix saves, and what the HTTP
layer costs (the same requests through the engine alone).
"""

import argparse
import asyncio
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import ostro
from machine import default_cache, describe, threads_to_use
from ostro.engine.engine import Engine
from ostro.engine.llm import LLM
from ostro.runtime.environment import Environment
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from peers.environments import PEERS, python_of
from results import Result, compare, print_results
from serving_load import Answer, Load, measure, summarise

CONTEXT = 2048
TOKENS = 64
STREAMS = (1, 8, 32)
_OSTRO = (sys.executable, "-c", "from ostro.cli.main import main; main()")
_WORDS = [
    "river",
    "stone",
    "winter",
    "light",
    "garden",
    "engine",
    "copper",
    "market",
    "silver",
    "window",
    "forest",
    "letter",
    "harbour",
    "mountain",
    "bridge",
    "candle",
    "morning",
    "paper",
    "thunder",
    "valley",
    "mirror",
    "needle",
    "orchard",
    "pilgrim",
]
_PREFIX_WORDS, _PROMPT_WORDS = 800, 60

Contest = dict[str, list[Load]]


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--type", default="Q4_0")
    parser.add_argument("--streams", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefix", choices=("none", "shared", "both"), default="both")
    parser.add_argument("--alone", action="store_true", help="only the rows without a peer")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cache", type=Path, default=default_cache())
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # The servers are to end, too.
    streams = options.streams or STREAMS
    environment = Environment.read()
    model = demo_file(options.type, options.cache)
    most = max(streams)
    results: list[Result] = []
    with ostro_server(model, most) as own:
        if not options.alone:
            with peer_server(model, options.cache, most) as peer:
                kinds = {"none": (False,), "shared": (True,), "both": (False, True)}
                held = [(count, shared) for count in streams for shared in kinds[options.prefix]]
                results += contests({"ostro": own, "llama.cpp": peer}, held, options.rounds)
        results.append(known_prefix(own, options.rounds))
    llm = ostro.load(str(model), context=CONTEXT, concurrency=most, environment=environment)
    results += [http_cost(llm, count, options.rounds) for count in streams]
    print_results(describe(), results, json_wanted=options.json)


def contests(
    servers: dict[str, str], kinds: Sequence[tuple[int, bool]], rounds: int
) -> list[Result]:
    """All rows with a peer, of so many streams with and without a shared prefix."""
    hold(servers, *kinds[0], 1)  # Which warms up.
    held = [(hold(servers, *kind, rounds), *kind) for kind in kinds]
    return [row for contest in held for row in rows(*contest)]


def hold(servers: dict[str, str], count: int, shared: bool, rounds: int) -> Contest:
    """Rounds in which each server answers the same prompts, which no round has twice."""
    contest: Contest = {name: [] for name in servers}
    seeds = itertools.count(time.time_ns() // 1_000_000)  # No server has seen these.
    for number in range(1, rounds + 1):
        prompts = make_prompts(count, seed=next(seeds), shared=shared)
        loads = {name: measure(url, prompts, TOKENS) for name, url in servers.items()}
        for name, load in loads.items():
            contest[name].append(load)
        speeds = ", ".join(f"{name} {load.tokens_per_second:.1f}" for name, load in loads.items())
        kind = "shared prefix" if shared else "no prefix"
        note(f"{count} streams, {kind}, round {number} of {rounds}: {speeds} tokens/s")
    return contest


def rows(contest: Contest, count: int, shared: bool) -> list[Result]:
    """What a contest says."""
    kind = f"{count} streams, {'shared prefix' if shared else 'no prefix'}"
    goal = 2.0 if count == 32 else 0.0
    return [
        _row(f"{kind}: throughput", contest, lambda x: x.tokens_per_second, "tokens/s", goal),
        _row(f"{kind}: first token", contest, lambda x: x.first, "s", 0.0),
        _row(f"{kind}: p95 between tokens", contest, lambda x: x.gap, "s", 0.0),
    ]


def known_prefix(url: str, rounds: int) -> Result:
    """The first token of a prompt of which all but the end was read before, and of a new one."""
    new, known = [], []
    for number in range(rounds):
        first, second = make_prompts(2, seed=77_000 + number, shared=True)
        new.append(measure(url, [first], 4).first)
        known.append(measure(url, [second], 4).first)
    return compare(
        "known prefix of 1k tokens: first token (ostro) beside a new one",
        ostro=median(known),
        peer=median(new),
        peer_name="ostro, new prefix",
        goal=10.0,
        unit="s",
        smaller_is_better=True,
    )


def http_cost(llm: LLM, count: int, rounds: int) -> Result:
    """The throughput of the same requests over HTTP and through the engine alone."""
    http, engine = [], []
    options = ServeOptions(port=0, concurrency=count)
    with RunningServer(llm, options) as server:
        for number in range(rounds + 1):
            prompts = make_prompts(count, seed=5000 + number, shared=False)
            load = measure(server.url, prompts, TOKENS)
            if number:
                http.append(load.tokens_per_second)
                engine.append(asyncio.run(_through_engine(llm, prompts)).tokens_per_second)
    return compare(
        f"{count} streams: HTTP beside the engine alone",
        ostro=median(http),
        peer=median(engine),
        peer_name="ostro's engine",
        goal=0.95,
        unit="tokens/s",
    )


async def _through_engine(llm: LLM, prompts: Sequence[str]) -> Load:
    async def one(engine: Engine, prompt: str) -> Answer:
        answer = Answer()
        options: dict[str, Any] = {"max_tokens": TOKENS, "ignore_eos": True}
        async for piece in engine.submit(prompt, **options):
            if piece.text:
                answer.times.append(time.perf_counter())
        return answer

    async with Engine(llm, concurrency=len(prompts)) as engine:
        began = time.perf_counter()
        answers = await asyncio.gather(*(one(engine, prompt) for prompt in prompts))
        return summarise(answers, TOKENS, time.perf_counter() - began)


def make_prompts(count: int, *, seed: int, shared: bool) -> list[str]:
    """Texts that are new in every round; with a long beginning in common, or with none."""
    prefix = _words(_PREFIX_WORDS, seed) if shared else ""
    return [f"{prefix} {_words(_PROMPT_WORDS, seed * 100 + n + 1)}" for n in range(count)]


def _words(count: int, seed: int) -> str:
    """Words that depend on the seed from the first on."""
    place, words = seed * 2654435761 % 2**32, [str(seed)]
    for _ in range(count):
        place = (place * 1664525 + 1013904223) % 2**32
        words.append(_WORDS[(place >> 16) % len(_WORDS)])
    return " ".join(words)


def _row(
    name: str, contest: Contest, figure: Callable[[Load], float], unit: str, goal: float
) -> Result:
    own, peer = (median(map(figure, contest[side])) for side in ("ostro", "llama.cpp"))
    return compare(
        name,
        ostro=own,
        peer=peer,
        peer_name="llama.cpp",
        goal=goal,
        unit=unit,
        smaller_is_better=unit == "s",
    )


def demo_file(kind: str, cache: Path) -> Path:
    """The demo as GGUF with weights of this type, converted on first use."""
    path = cache / "models" / f"demo.{kind}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        convert = ["convert", "demo", str(path), "--to", "gguf", "--type", kind]
        subprocess.run([*_OSTRO, *convert], check=True, stdout=sys.stderr)
    return path


@contextmanager
def ostro_server(model: Path, streams: int) -> Iterator[str]:
    """``ostro serve`` in a process of its own."""
    command = [*_OSTRO, "serve", str(model), "--port", "0"]
    command += ["--context", str(CONTEXT), "--max-concurrency", str(streams)]
    with _process(command, subprocess.PIPE, "http://") as url:
        yield url


@contextmanager
def peer_server(model: Path, cache: Path, streams: int) -> Iterator[str]:
    """llama.cpp's server on the same file."""
    peer = next(peer for peer in PEERS if peer.script == "xllamacpp_worker.py")
    python = python_of(peer, cache, note)
    script = Path(__file__).parent / "peers" / "xllamacpp_server.py"
    command = [str(python), str(script), str(model), str(CONTEXT), str(streams)]
    with _process([*command, str(threads_to_use())], subprocess.PIPE, "http://") as url:
        yield url


@contextmanager
def _process(command: list[str], output: int, mark: str) -> Iterator[str]:
    """Run a server; the first word of its output that begins with ``mark`` is its address."""
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if mark in line:
                address = next(word for word in line.split() if word.startswith(mark))
                break
        else:
            raise RuntimeError(f"{command[0]} ended without saying its address")
        _drain(process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


def _drain(process: "subprocess.Popen[str]") -> None:
    """Read on in the background, or the server would wait for its log to be read."""
    threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True).start()


def note(text: str) -> None:
    """What is being done."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
