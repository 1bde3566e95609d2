"""Quantising: ostro's quantisers beside llama.cpp's, both without an importance matrix.

    .venv/bin/python benchmarks/quantise.py MODEL [--text FILE] [--llama-cpp PYTHON] [--only MIX]
        [--json]

MODEL is in full precision; PYTHON is an interpreter that has llama-cpp-python (default: this one).
Both quantise the same F32 file, every matrix to the same size. Then, for every mix: the relative
root mean square error of the quantised matrices, plain and with weights (an error counts |x| plus
the root mean square of its block of 32, which is what llama.cpp's 4- and 5-bit searches lessen);
the KL divergence from the full model, both computed in float32; and the speed.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from machine import describe

import ostro
from ostro.config import WEIGHT_TYPES, WeightType
from ostro.evaluation.quantisation import WINDOW, compare
from ostro.evaluation.shipped_text import shipped_text
from ostro.kernels.quantise import NativeQuantiser, open_quantiser
from ostro.runtime.progress import SilentProgress
from ostro.runtime.settings import choose_settings
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.layouts import GGUF
from ostro.weights.quantisation_mix import MIXES, Mix
from ostro.weights.quantise import to_dense
from ostro.weights.tokenizer_files import TokenizerFiles

SILENT = SilentProgress()
PEER = """
import ctypes, sys, time
import llama_cpp
llama_cpp.llama_backend_init()
keep = llama_cpp.llama_log_callback(lambda level, text, user: None)
llama_cpp.llama_log_set(keep, None)
source, target, file_type, threads = sys.argv[1:]
params = llama_cpp.llama_model_quantize_default_params()
params.ftype, params.nthread = int(file_type), int(threads)
start = time.perf_counter()
code = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params))
print(time.perf_counter() - start, llama_cpp.__version__)
sys.exit(code)
"""


@dataclass(frozen=True)
class Row:
    """One number of ostro's beside the peer's; ``ratio`` is above 1 where ostro's is better."""

    name: str
    ostro: float
    peer: float
    peer_name: str
    ratio: float
    goal: float
    unit: str


def write(
    source: Checkpoint, target: Path, kind: WeightType | Mix, quantiser: NativeQuantiser
) -> float:
    """Seconds for writing ``source`` as GGUF."""
    start = time.perf_counter()
    write_model(
        source,
        TokenizerFiles.beside(source.path),
        target,
        layout=GGUF,
        kind=kind,
        progress=SILENT,
        name="benchmark",
        quantise=quantiser,
    )
    return time.perf_counter() - start


def write_by_peer(python: str, source: Path, target: Path, mix: Mix, threads: int) -> list[str]:
    """Seconds that llama.cpp takes, and its binding's version."""
    command = [python, "-c", PEER, source, target, str(mix.file_type), str(threads)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def errors(full: Checkpoint, quantised: Checkpoint) -> tuple[float, float]:
    """Relative error of all quantised tensors together: plain, and weighted."""
    sums = torch.zeros(4, dtype=torch.float64)
    for name, info in quantised.files.infos.items():
        if info.type.is_dense:
            continue
        x = to_dense(full.files.read(name), torch.float32).reshape(-1, 32)
        off = to_dense(quantised.files.read(name), torch.float32).reshape(-1, 32) - x
        weight = x.abs() + x.square().mean(-1, keepdim=True).sqrt()
        for index, each in enumerate((off, x)):
            square = each.square()
            sums[index] += square.sum(dtype=torch.float64)
            sums[2 + index] += (weight * square).sum(dtype=torch.float64)
    return math.sqrt(sums[0] / sums[1]), math.sqrt(sums[2] / sums[3])


def require_equal_sizes(ours: Checkpoint, peers: Checkpoint) -> None:
    """Quality is compared at equal size alone, tensor by tensor; types of one size may differ."""
    sizes = [{n: info.bytes for n, info in each.files.infos.items()} for each in (ours, peers)]
    if sizes[0] != sizes[1]:
        sys.exit(f"sizes differ: {sorted(sizes[0].items() ^ sizes[1].items())}")


def measure(mix: Mix, folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """One mix: both files written, read and removed again."""
    full, paths = folder / "full.gguf", [folder / "ostro.gguf", folder / "peer.gguf"]
    quantiser, obstacle = open_quantiser(torch.get_num_threads())
    assert isinstance(quantiser, NativeQuantiser), obstacle
    source = open_checkpoint(full)
    seconds = write(source, paths[0], mix, quantiser)
    peer_seconds, version = write_by_peer(
        options.llama_cpp, full, paths[1], mix, torch.get_num_threads()
    )
    checkpoints = [open_checkpoint(path) for path in paths]
    require_equal_sizes(*checkpoints)
    found = [errors(source, checkpoint) for checkpoint in checkpoints]
    text = options.text.read_text(encoding="utf-8") if options.text else shipped_text()
    llm = ostro.load(full, dtype="float32", progress=SILENT)
    window = min(WINDOW, llm.context)
    comparisons = [
        compare(llm, ostro.load(path, dtype="float32", progress=SILENT), text, window, SILENT)
        for path in paths
    ]
    count = sum(math.prod(info.shape) for info in source.files.infos.values()) / 1e6
    peer_name = f"llama-cpp-python {version}"

    def row(name: str, unit: str, pair: list[float], *, more: bool = False) -> Row:
        ratio = pair[0] / pair[1] if more else pair[1] / pair[0]
        return Row(f"{mix.name}-{name}", *pair, peer_name, ratio, 1.0, unit)

    yield row("error", "relative", [pair[0] for pair in found])
    yield row("weighted-error", "relative", [pair[1] for pair in found])
    yield row("divergence", "nats", [c.divergence for c in comparisons])
    yield row("median-divergence", "nats", [c.median_divergence for c in comparisons])
    yield row("perplexity", "", [c.quantised_perplexity for c in comparisons])
    yield row("speed", "M weights/s", [count / seconds, count / float(peer_seconds)], more=True)
    for path in paths:
        path.unlink()


def main() -> None:
    """Measure every mix, or the one that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--llama-cpp", default=sys.executable)
    parser.add_argument("--only", choices=list(MIXES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    choose_settings()
    print(describe(), file=sys.stderr)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        quantiser = open_quantiser(torch.get_num_threads())[0]
        assert isinstance(quantiser, NativeQuantiser)
        full = Path(name) / "full.gguf"
        write(open_checkpoint(options.model), full, WEIGHT_TYPES["F32"], quantiser)
        for mix in MIXES.values():
            if options.only in (None, mix.name):
                for row in measure(mix, Path(name), options):
                    rows.append(row)
                    print(
                        f"{row.name:<26} {row.ostro:11.6g} {row.peer:11.6g} {row.unit:<12}"
                        f" ratio {row.ratio:.3f}",
                        file=sys.stderr if options.json else sys.stdout,
                        flush=True,
                    )
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
