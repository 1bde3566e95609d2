"""Decoding the demo: ostro beside transformers on the same weights, in turn, in one run.

    .venv/bin/python benchmarks/decode.py [ROUNDS] [TOKENS]

transformers reads the demo converted to Hugging Face's layout in bfloat16. Prints the median of
tokens per second of each, and the median of the ratios round by round.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from machine import describe

import ostro
from ostro.config import WEIGHT_TYPES
from ostro.engine.session import Session
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import WRITABLE_LAYOUTS, write_model
from ostro.weights.demo import prepare_demo
from ostro.weights.tokenizer_files import TokenizerFiles

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


def main() -> None:
    """Measure in turn, A B C A B C ..., after one round that does not count."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    demo = prepare_demo(Environment.read(), SilentProgress())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo-hf"
        write_model(
            open_checkpoint(demo),
            TokenizerFiles(None),
            folder,
            layout=WRITABLE_LAYOUTS["hf"],
            kind=WEIGHT_TYPES["BF16"],
            progress=SilentProgress(),
            name="demo",
        )
        runs = {
            "ostro F16": ostro_decoder(demo, "float16"),
            "ostro BF16": ostro_decoder(demo, "bfloat16"),
            "transformers BF16": transformers_decoder(folder),
        }
        speeds: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(rounds + 1):
            for name, run in runs.items():
                speed = tokens / run(tokens)
                if number:
                    speeds[name].append(speed)
    print(describe())
    peer = speeds["transformers BF16"]
    for name, values in speeds.items():
        ratio = statistics.median(a / b for a, b in zip(values, peer, strict=True))
        print(f"{name:<18} {statistics.median(values):6.1f} tokens/s  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
