"""llama.cpp reads what ostro quantises, and finds the perplexity that ostro finds."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

import ostro
from ostro.evaluation.perplexity import perplexity
from ostro.evaluation.shipped_text import shipped_text
from ostro.kernels.quantise import open_quantiser
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.layouts import GGUF
from ostro.weights.quantisation_mix import MIXES
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny_chat import BOS, EOS, VOCAB_SIZE, save_babbler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("llama_cpp") is None,
        reason="llama-cpp-python is not installed; it is built from source",
    ),
]
# Logits of every position, in a process of its own: the library keeps threads and writes to stderr.
PROGRAM = """
import json, sys
import llama_cpp
import numpy as np
path, ids = sys.argv[1], json.loads(sys.stdin.read())
size = {"n_ctx": len(ids), "n_batch": len(ids)}
model = llama_cpp.Llama(path, **size, n_threads=2, logits_all=True, verbose=False)
model.eval(ids)
logits = np.asarray(model.scores[: len(ids)], dtype=np.float64)
logits -= np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)) + (
    logits.max(-1, keepdims=True))
print(float(-logits[np.arange(len(ids) - 1), ids[1:]].mean()))
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small mixture whose rows are all whole super-blocks.

    It uses both experts of two: a random router is full of ties, which rounding would decide.
    """
    folder = tmp_path_factory.mktemp("models") / "wide"
    sizes = {"vocab_size": VOCAB_SIZE + 1, "hidden_size": 256, "intermediate_size": 512}
    sizes |= {"num_local_experts": 2}
    ids = {"bos_token_id": BOS + 1, "eos_token_id": EOS + 1}
    save_babbler(folder, num_hidden_layers=2, initializer_range=0.05, **sizes, **ids)
    # llama.cpp reads no byte-level vocabulary without merges. Control tokens come after all text.
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"]["th"] = BOS
    tokenizer["model"]["merges"] = [["t", "h"]]
    for token in tokenizer["added_tokens"]:
        token["id"] += 1
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


def perplexities(model: Path, target: Path, mix: str, tokens: int) -> tuple[float, float]:
    """Of so many tokens of the shipped text, by ostro and by llama.cpp, on one file."""
    checkpoint = open_checkpoint(model)
    write_model(
        checkpoint,
        TokenizerFiles.beside(checkpoint.path),
        target,
        layout=GGUF,
        kind=MIXES[mix],
        progress=SilentProgress(),
        name="test",
        quantise=open_quantiser(2)[0],
    )
    llm = ostro.load(target, progress=SilentProgress())
    ids = llm.encode(shipped_text())[:tokens]
    command = [sys.executable, "-c", PROGRAM, str(target)]
    given = json.dumps(ids)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return perplexity(llm.model, ids, tokens).value, math.exp(float(done.stdout))


@pytest.mark.parametrize("mix", MIXES)
def test_perplexities_agree_where_rows_are_whole_super_blocks(wide, tmp_path, mix) -> None:
    own, other = perplexities(wide, tmp_path / "wide.gguf", mix, 512)
    assert other == pytest.approx(own, rel=0.005)


@pytest.mark.demo
@pytest.mark.parametrize("mix", MIXES)
def test_perplexities_agree_on_the_demo(demo_model: Path, tmp_path: Path, mix) -> None:
    # The whole text: near ties in the router, where llama.cpp's 8-bit activations decide otherwise,
    # leave 0.6 % on the first 512 tokens.
    own, other = perplexities(demo_model, tmp_path / "demo.gguf", mix, 2048)
    assert other == pytest.approx(own, rel=0.005)
