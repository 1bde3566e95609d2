"""Quantising: ostro's quantisers beside llama.cpp's, both without an importance matrix.

    .venv/bin/python benchmarks/quantise.py MODEL [--text FILE] [--llama-cpp PYTHON] [--only MIX]
        [--orders N] [--json]

MODEL is in full precision; PYTHON is an interpreter that has llama-cpp-python (default: this one).
Both quantise the same F32 file, every matrix to the same size. Then, for every mix: the relative
root mean square error of the quantised matrices, plain and with weights (an error counts |x| plus
the root mean square of its block of 32, which is what llama.cpp's 4- and 5-bit searches lessen);
the KL divergence from the full model, both computed in float32; and the speed.

What one rounding does to a small model's answers is partly luck. With --orders N everything is done
N times, with the model's channels in another order each time: the same model, rounded otherwise.
Printed are means, and of the speeds the median.
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import ostro
import results
from machine import describe
from ostro.config import WEIGHT_TYPES, WeightType
from ostro.evaluation.quantisation import WINDOW, compare
from ostro.evaluation.shipped_text import shipped_text
from ostro.kernels.quantise import open_quantiser
from ostro.runtime.progress import SilentProgress
from ostro.runtime.settings import choose_settings
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.layouts import GGUF
from ostro.weights.quantisation_mix import MIXES, Mix
from ostro.weights.quantise import to_dense
from ostro.weights.slots import Slot
from ostro.weights.stored import StoredTensor
from ostro.weights.tokenizer_files import TokenizerFiles
from results import Result, print_results

SILENT = SilentProgress()
UNITS = {
    "error": "relative",
    "weighted-error": "relative",
    "divergence": "nats",
    "median-divergence": "nats",
    "perplexity": "",
    "speed": "M weights/s",
}
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
print(time.perf_counter() - start)
sys.exit(code)
"""


def write(source: Any, target: Path, kind: WeightType | Mix) -> float:
    """Seconds for writing ``source`` as GGUF."""
    quantiser, obstacle = open_quantiser(torch.get_num_threads())
    if obstacle is not None:
        sys.exit(obstacle.notice)
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


def write_by_peer(python: str, source: Path, target: Path, mix: Mix, threads: int) -> float:
    """Seconds that llama.cpp takes."""
    command = [python, "-c", PEER, source, target, str(mix.file_type), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


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


@dataclass(frozen=True)
class Reordered:
    """The same model with its channels in another order; other names lead to the source's."""

    source: Checkpoint
    order: torch.Tensor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, slot: Slot) -> StoredTensor:
        """What writes channels has its rows moved, what reads them its columns."""
        stored = self.source.read(slot)
        if slot.kind in ("output", "down"):
            return stored.rows(self.order)
        return StoredTensor(stored.type, stored.data[..., self.order])


def measure(mix: Mix, full: Path, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """One mix on one file: ostro's number and the peer's, by name."""
    paths = [full.with_name("ostro.gguf"), full.with_name("peer.gguf")]
    threads = torch.get_num_threads()
    source = open_checkpoint(full)
    seconds = write(source, paths[0], mix)
    peer_seconds = write_by_peer(options.llama_cpp, full, paths[1], mix, threads)
    checkpoints = [open_checkpoint(path) for path in paths]
    require_equal_sizes(*checkpoints)
    ours, peers = (errors(source, checkpoint) for checkpoint in checkpoints)
    text = options.text.read_text(encoding="utf-8") if options.text else shipped_text()
    llm = ostro.load(full, dtype="float32", progress=SILENT)
    window = min(WINDOW, llm.context)
    own, other = (
        compare(llm, ostro.load(path, dtype="float32", progress=SILENT), text, window, SILENT)
        for path in paths
    )
    count = sum(math.prod(info.shape) for info in source.files.infos.values()) / 1e6
    for path in paths:
        path.unlink()
    return {
        "error": (ours[0], peers[0]),
        "weighted-error": (ours[1], peers[1]),
        "divergence": (own.divergence, other.divergence),
        "median-divergence": (own.median_divergence, other.median_divergence),
        "perplexity": (own.quantised_perplexity, other.quantised_perplexity),
        "speed": (count / seconds, count / peer_seconds),
    }


def rows_of(mix: Mix, found: list[dict[str, tuple[float, float]]]) -> Iterator[Result]:
    """Means over the orders; ``ratio`` is above 1 where ostro's is better."""
    for name, unit in UNITS.items():
        middle = statistics.median if name == "speed" else statistics.mean
        own, other = (middle(each[name][index] for each in found) for index in (0, 1))
        yield results.compare(
            f"{mix.name}-{name}",
            ostro=own,
            peer=other,
            peer_name="llama.cpp",
            goal=1.0,
            unit=unit,
            smaller_is_better=name != "speed",
        )


def main() -> None:
    """Measure every mix, or the one that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--llama-cpp", default=sys.executable)
    parser.add_argument("--only", choices=list(MIXES))
    parser.add_argument("--orders", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    choose_settings()
    machine = describe()
    found: dict[str, list[dict[str, tuple[float, float]]]] = {}
    model = open_checkpoint(options.model)
    for seed in range(options.orders):
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(model.geometry.dim, generator=generator)
        with tempfile.TemporaryDirectory() as name:
            full = Path(name) / "full.gguf"
            source = Reordered(model, order) if options.orders > 1 else model
            write(source, full, WEIGHT_TYPES["F32"])
            for mix in MIXES.values():
                if options.only in (None, mix.name):
                    found.setdefault(mix.name, []).append(measure(mix, full, options))
    rows = [row for name, each in found.items() for row in rows_of(MIXES[name], each)]
    print_results(machine, rows, json_wanted=options.json)


if __name__ == "__main__":
    main()
