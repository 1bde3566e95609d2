"""Does a mixture learn more from the same compute? A dense model against 8 experts, top 2.

    .venv/bin/python benchmarks/sparse_vs_dense.py FILES... --out FOLDER [--size NAME] [--json]

Both have the same number of active parameters and read the same tokens in the same order, and each
runs its own schedule to the end. The mixture's budgets are shares of the dense model's tokens: the
smallest with which it ends at a validation loss no higher than the dense model's is the answer.
What is in the folder is used again, and a run that was stopped goes on.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from machine import describe
from ostro.config import Geometry, count_parameters, format_count
from ostro.config.recipe import parse_recipe
from ostro.config.strict_tables import to_table
from ostro.data.prepare import prepare
from ostro.data.train_tokenizer import train_tokenizer
from ostro.runtime.progress import TerminalProgress
from ostro.runtime.settings import choose_settings
from ostro.training.assembly import assemble
from ostro.training.beginning import Places
from ostro.training.log import read_log
from ostro.weights.own_tokenizer import own_tokenizer

GOAL = 0.7


@dataclass(frozen=True)
class Size:
    """What runs on which kind of machine."""

    dense: Geometry
    tokens: int
    length: int
    batch: int
    micro_batch: int
    lr: float
    device: str
    dtype: str

    @property
    def sparse(self) -> Geometry:
        """The same model with 8 experts, two of which are as wide as the dense block."""
        return replace(self.dense, ffn_dim=self.dense.ffn_dim // 2, num_experts=8, top_k=2)


_CPU = Geometry(
    vocab_size=2048,
    dim=128,
    num_layers=4,
    num_heads=4,
    num_kv_heads=2,
    head_dim=32,
    ffn_dim=1024,
    context_length=1024,
    rope_theta=1e4,
    tied_embeddings=True,
)
_SMALL = replace(_CPU, dim=64, head_dim=16, ffn_dim=256)
_GPU = replace(_CPU, vocab_size=8192, dim=256, num_layers=6, head_dim=64, ffn_dim=1024)
SIZES = {
    "small": Size(_SMALL, 16_000_000, 256, 8, 8, 6e-3, "cpu", "float32"),
    "cpu": Size(_CPU, 5_000_000, 256, 2, 2, 2e-3, "cpu", "float32"),
    "gpu": Size(_GPU, 60_000_000, 512, 64, 64, 2e-3, "cuda", "bfloat16"),
}


@dataclass(frozen=True)
class Ending:
    """One run's end."""

    model: str
    share: float
    """Of the dense model's tokens."""
    seed: int
    tokens: int
    loss: float
    """On the validation data, in nats a token."""


def main() -> None:
    """Train what is asked for and print the table."""
    arguments = _arguments()
    size = SIZES[arguments.size]
    choose_settings(device=size.device, threads=arguments.threads)
    _prepare(size, arguments.files, arguments.out)
    endings = list(_endings(size, arguments))
    if set(arguments.models) != {"dense", "sparse"}:
        return
    report = {
        "machine": describe(),
        "size": arguments.size,
        "active": {
            name: count_parameters(geometry).active
            for name, geometry in (("dense", size.dense), ("sparse", size.sparse))
        },
        "endings": [asdict(ending) for ending in endings],
        "curves": _curves(arguments.out),
    }
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    _plot(report, arguments.out / "sparse_vs_dense.png")
    print(json.dumps(report, indent=2) if arguments.json else "\n".join(table(size, endings)))


def table(size: Size, endings: Sequence[Ending]) -> Iterator[str]:
    """The losses, and the verdict."""
    dense, sparse = (count_parameters(geometry) for geometry in (size.dense, size.sparse))
    yield f"{'model':<8}{'tokens':>8}{'loss':>9}{'+-':>8}   seeds"
    by_run: dict[tuple[str, float], list[Ending]] = {}
    for ending in endings:
        by_run.setdefault((ending.model, ending.share), []).append(ending)
    for (model, share), group in by_run.items():
        losses = [ending.loss for ending in group]
        spread = stdev(losses) if len(losses) > 1 else 0.0
        yield f"{model:<8}{share:>8.0%}{mean(losses):>9.4f}{spread:>8.4f}   {len(group)}"
    goal = mean(ending.loss for ending in by_run["dense", 1.0])
    enough = [
        share
        for (model, share), group in by_run.items()
        if model == "sparse" and mean(ending.loss for ending in group) <= goal
    ]
    yield (
        f"active parameters: dense {format_count(dense.active)}, sparse "
        f"{format_count(sparse.active)} of {format_count(sparse.total)}"
    )
    reached = f"in {min(enough):.0%} of its tokens" if enough else "in none of these budgets"
    yield f"the mixture reaches the dense model's loss {reached} (goal: {GOAL:.0%})"


def _endings(size: Size, arguments: argparse.Namespace) -> Iterator[Ending]:
    runs = [("dense", 1.0), *(("sparse", share) for share in arguments.shares)]
    for seed in range(arguments.seeds):
        for model, share in runs:
            if model in arguments.models:
                yield _run(size, arguments.out, model, share, seed)


def _run(size: Size, out: Path, model: str, share: float, seed: int) -> Ending:
    folder = out / f"{model}-{share:.2f}-{seed}"
    step_tokens = size.batch * size.length
    steps = round(size.tokens * share / step_tokens)
    geometry = size.dense if model == "dense" else size.sparse
    recipe = parse_recipe(
        {
            "model": {"geometry": to_table(geometry), "tokenizer": str(out / "tokenizer")},
            "data": {
                "folder": str(out / "data"),
                "length": size.length,
                "batch": size.batch,
                "micro_batch": size.micro_batch,
            },
            "optimizer": {"lr": size.lr},
            "schedule": {"steps": steps, "warmup": 0.05},
            # Balanced over many steps: one step has a handful of texts, whose kinds may differ.
            "router": {"balance": 0.01, "memory": 0.95} if geometry.is_sparse else {},
            "precision": {"dtype": size.dtype},
            "validation": {"every": max(steps // 20, 1), "samples": 200},
            "checkpoint": {"every": max(steps // 4, 1), "keep_last": 1},
            "log": {"every": 50},
            "seed": seed,
            "device": size.device,
        },
        "pretrain",
        "benchmark",
    )
    places = Places(None, out / "tokenizer")
    if assemble(recipe, places, folder, TerminalProgress()).train().reason == "stopped":
        sys.exit("stopped; the same command goes on")
    losses = _validations(folder)
    return Ending(model, share, seed, steps * step_tokens, losses[-1][1])


def _validations(folder: Path) -> list[tuple[int, float]]:
    """Steps, and the cross entropy on the validation data: without the router's losses."""
    lines = read_log(folder / "log.jsonl")
    return [(line["step"], line["validation_lm"]) for line in lines if "validation_lm" in line]


def _curves(out: Path) -> dict[str, list[tuple[int, float]]]:
    return {log.parent.name: _validations(log.parent) for log in sorted(out.glob("*/log.jsonl"))}


def _prepare(size: Size, files: Sequence[Path], out: Path) -> None:
    progress = TerminalProgress()
    if not (out / "tokenizer").exists():
        train_tokenizer(
            files, out / "tokenizer", vocab_size=size.dense.vocab_size, progress=progress
        )
    if not (out / "data").exists():
        tokenizer = own_tokenizer(out / "tokenizer").tokenizer
        prepare(
            files,
            out / "data",
            kind="documents",
            tokenizer=tokenizer,
            validation=0.02,
            progress=progress,
        )


def _plot(report: dict[str, Any], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("no plot: matplotlib is not installed")
        return
    size = SIZES[report["size"]]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, curve in report["curves"].items():
        model, share, _ = name.rsplit("-", 2)
        colour = "C3" if model == "dense" else {"0.50": "C2", "0.70": "C0"}.get(share, "C4")
        tokens = [step * size.batch * size.length / 1e6 for step, _ in curve]
        axes.plot(tokens, [loss for _, loss in curve], color=colour, linewidth=0.9)
    for model, share, colour in (("dense", 1.0, "C3"), ("8 experts", 0.7, "C0")):
        axes.plot([], [], color=colour, label=f"{model}, {share:.0%} of the tokens")
    axes.set_xlabel("million tokens")
    axes.set_ylabel("validation loss, nats a token")
    axes.legend()
    figure.savefig(path, dpi=150)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="texts, as ostro data prepare reads")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", choices=SIZES, default="cpu")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.7])
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--models",
        nargs="+",
        default=["dense", "sparse"],
        help="one of them, so that two processes can share the work; then both, for the table",
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
