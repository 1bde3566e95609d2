"""llama.cpp reads what ostro quantises, and finds the perplexity that ostro finds."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ostro
from ostro.kernels.quantise import open_quantiser
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.layouts import GGUF
from ostro.weights.quantisation_mix import MIXES
from ostro.weights.tokenizer_files import TokenizerFiles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.demo,
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
model = llama_cpp.Llama(path, n_ctx=512, n_batch=512, n_threads=2, logits_all=True, verbose=False)
model.eval(ids)
logits = np.asarray(model.scores[: len(ids)], dtype=np.float64)
logits -= np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)) + (
    logits.max(-1, keepdims=True))
print(float(-logits[np.arange(len(ids) - 1), ids[1:]].mean()))
"""


def test_perplexities_agree(demo_model: Path, tmp_path: Path) -> None:
    text = (Path(ostro.__file__).parent / "evaluation" / "meditations.txt").read_text("utf-8")
    checkpoint, target = open_checkpoint(demo_model), tmp_path / "demo.gguf"
    write_model(
        checkpoint,
        TokenizerFiles.beside(checkpoint.path),
        target,
        layout=GGUF,
        kind=MIXES["q4_k_m"],
        progress=SilentProgress(),
        name="demo",
        quantise=open_quantiser(2)[0],
    )
    llm = ostro.load(target, progress=SilentProgress())
    ids = llm.encode(text)[:512]
    chosen = torch.log_softmax(llm.logits(ids).double(), -1)[:-1]
    own = math.exp(float(-chosen.gather(1, torch.tensor(ids[1:])[:, None]).mean()))
    command = [sys.executable, "-c", PROGRAM, str(target)]
    given = json.dumps(ids)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    assert math.exp(float(done.stdout)) == pytest.approx(own, rel=0.005)
