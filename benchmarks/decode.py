"""Decoding the demo: ostro beside transformers on the same weights, in turn, in one run.

    .venv/bin/python benchmarks/decode.py [--rounds N] [--tokens N] [--json]

transformers reads the demo converted to Hugging Face's layout in bfloat16. Prints the medians of
tokens per second and their ratio.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

import ostro
from machine import describe
from ostro.config import WEIGHT_TYPES
from ostro.engine.session import Session
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import WRITABLE_LAYOUTS, write_model
from ostro.weights.demo import prepare_demo
from ostro.weights.tokenizer_files import TokenizerFiles
from results import compare, print_results

PROMPT = list(range(1000, 1032))


def ostro_decoder(path: Path, dtype: str) -> Callable[[int], float]:
    """Seconds that ostro takes for so many tokens."""
    llm = ostro.load(path, dtype=dtype, progress=SilentProgress())

    def run(tokens: int) -> float:
        session = Session(llm.model, 256)
        logits = session.feed(PROMPT)
        start = time.perf_counter()
        for _ in range(tokens):
            logits = session.feed([int(logits[0].argmax())])
        return time.perf_counter() - start

    return run


def transformers_decoder(folder: Path) -> Callable[[int], float]:
    """Seconds that transformers takes for so many tokens."""
    import transformers

    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.eval()

    @torch.inference_mode()
    def run(tokens: int) -> float:
        output = model(torch.tensor([PROMPT]), use_cache=True)
        start = time.perf_counter()
        for _ in range(tokens):
            token = output.logits[:, -1:].argmax(-1)
            output = model(token, past_key_values=output.past_key_values, use_cache=True)
        return time.perf_counter() - start

    return run


def convert(demo: Path, folder: Path) -> None:
    """Write the demo for transformers."""
    write_model(
        open_checkpoint(demo),
        TokenizerFiles(None),
        folder,
        layout=WRITABLE_LAYOUTS["hf"],
        kind=WEIGHT_TYPES["BF16"],
        progress=SilentProgress(),
        name="demo",
    )


def measure(
    runs: Mapping[str, Callable[[int], float]], rounds: int, tokens: int
) -> dict[str, float]:
    """Median speeds, measured in turn, A B C A B C ..., after one round that does not count."""
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            speed = tokens / run(tokens)
            if number:
                speeds[name].append(speed)
    return {name: statistics.median(values) for name, values in speeds.items()}


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description="Decoding the demo beside transformers.")
    parser.add_argument("--rounds", type=int, default=5, help="that count [default: 5]")
    parser.add_argument("--tokens", type=int, default=32, help="a round [default: 32]")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    arguments = parser.parse_args()
    demo = prepare_demo(Environment.read(), SilentProgress())
    peer = "transformers BF16"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo-hf"
        convert(demo, folder)
        runs = {
            "decode F16": ostro_decoder(demo, "float16"),
            "decode BF16": ostro_decoder(demo, "bfloat16"),
            peer: transformers_decoder(folder),
        }
        speeds = measure(runs, arguments.rounds, arguments.tokens)
    results = [
        compare(name, ostro=speed, peer=speeds[peer], peer_name=peer, goal=1.0, unit="tok/s")
        for name, speed in speeds.items()
        if name != peer
    ]
    print_results(describe(), results, json_wanted=arguments.json)


if __name__ == "__main__":
    main()
