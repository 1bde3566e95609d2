"""Training beside transformers and trl: tokens per second and memory, same model, same data.

    .venv/bin/python benchmarks/training.py [--rounds N] [--steps N] [--size cpu|gpu|wide] [--json]

Both learn the texts of runs/sample in their own processes, one after the other, round after round.
A token counts if the model reads it: padding does not. Pretraining has windows of one length, where
the peer has nothing to pad; fine-tuning has conversations of different lengths, as the peer takes
them by default.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from machine import describe, threads_to_use
from ostro.config import PRESETS, WEIGHT_TYPES, Geometry
from ostro.config.recipe import Recipe, Task, parse_recipe
from ostro.data.dataset import open_dataset
from ostro.data.kinds import Kind
from ostro.data.prepare import prepare
from ostro.data.train_tokenizer import train_tokenizer
from ostro.runtime.memory import peak_resident_bytes
from ostro.runtime.progress import Advance, SilentProgress, TerminalProgress, Unit
from ostro.runtime.settings import choose_settings
from ostro.training.assembly import assemble
from ostro.training.beginning import Places, new_model
from ostro.training.log import read_log
from ostro.weights.convert import write_model
from ostro.weights.layouts import HF
from ostro.weights.own_tokenizer import own_tokenizer
from ostro.weights.parameters import Parameters
from results import Result, compare, print_results

ROOT = Path(__file__).parent.parent
WARMUP = 4
DATA: dict[str, tuple[str, Kind, Task]] = {
    "pretrain": ("books.jsonl", "documents", "pretrain"),
    "sft": ("tasks.jsonl", "conversations", "sft"),
}


@dataclass(frozen=True)
class Size:
    """What is trained, and how much of it at a time."""

    geometry: Geometry
    length: int
    batch: int
    device: str
    dtype: str
    goal: float


_CPU = Geometry(
    vocab_size=2048,
    dim=256,
    num_layers=6,
    num_heads=8,
    num_kv_heads=4,
    head_dim=32,
    ffn_dim=512,
    context_length=1024,
    num_experts=8,
    top_k=2,
    rope_theta=1e4,
)
_DEMO = replace(PRESETS["demo"], vocab_size=2048, context_length=2048, tied_embeddings=False)
_WIDE = Geometry(
    vocab_size=2048,
    dim=2048,
    num_layers=8,
    num_heads=16,
    num_kv_heads=8,
    head_dim=128,
    ffn_dim=4096,
    context_length=2048,
    num_experts=8,
    top_k=2,
)
SIZES = {
    "cpu": Size(_CPU, 256, 8, "cpu", "float32", 1.5),
    "gpu": Size(_DEMO, 1024, 16, "cuda", "bfloat16", 2.0),
    "wide": Size(_WIDE, 1024, 16, "cuda", "bfloat16", 2.0),
}


def main() -> None:
    """Measure all, or be one of the processes that are measured."""
    arguments = _arguments()
    size = SIZES[arguments.size]
    if arguments.dtype:
        size = replace(size, dtype=arguments.dtype)
    if arguments.worker:
        choose_settings(device=size.device, threads=threads_to_use())
        work = {"ostro": ostro, "trl": trl}[arguments.worker]
        print(json.dumps(work(size, arguments.case, arguments.folder, arguments.steps)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _prepare(size, folder)
        results = [
            result
            for case in arguments.cases
            for result in _compared(size, case, folder, arguments)
        ]
    print_results(describe(), results, json_wanted=arguments.json)


def _compared(
    size: Size, case: str, folder: Path, arguments: argparse.Namespace
) -> Iterator[Result]:
    found: dict[str, list[dict[str, float]]] = {"ostro": [], "trl": []}
    for _ in range(arguments.rounds):
        for worker, measured in found.items():
            measured.append(_measured(worker, size, case, folder, arguments))
    medians = {
        (worker, name): statistics.median(one[name] for one in measured)
        for worker, measured in found.items()
        for name in ("tokens_per_second", "memory")
    }
    yield compare(
        f"{case}: speed",
        ostro=medians["ostro", "tokens_per_second"],
        peer=medians["trl", "tokens_per_second"],
        peer_name="transformers and trl",
        goal=size.goal,
        unit="tokens/s",
    )
    yield compare(
        f"{case}: memory",
        ostro=medians["ostro", "memory"] / 1e6,
        peer=medians["trl", "memory"] / 1e6,
        peer_name="transformers and trl",
        goal=0,
        unit="MB",
        smaller_is_better=True,
    )
    mfu = statistics.median(one["mfu"] for one in found["ostro"])
    yield compare(
        f"{case}: share of a matrix product's FLOPs",
        ostro=mfu,
        peer=1.0,
        peer_name="a large product here",
        goal=0,
        unit="",
    )


def _measured(
    worker: str, size: Size, case: str, folder: Path, arguments: argparse.Namespace
) -> dict[str, float]:
    command = [sys.executable, __file__, "--worker", worker, "--case", case]
    command += ["--folder", str(folder), "--steps", str(arguments.steps), "--size", arguments.size]
    command += ["--dtype", size.dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{worker} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{case} {worker}: {found}", file=sys.stderr, flush=True)
    return found


def ostro(size: Size, case: str, folder: Path, steps: int) -> dict[str, float]:
    """One run of ostro's own loop."""
    with tempfile.TemporaryDirectory() as temporary:
        clock = _Clock()
        recipe = _recipe(size, case, folder, steps)
        places = Places(folder / "model", folder / "tokenizer")
        run = assemble(recipe, places, Path(temporary), clock)
        run.train()
        lines = read_log(Path(temporary) / "log.jsonl")
    steady = [line for line in lines if "tokens" in line]
    first, last = steady[0], steady[-1]
    seconds = clock.times[last["step"] - 1] - clock.times[first["step"] - 1]
    return {
        "tokens_per_second": (last["tokens"] - first["tokens"]) / seconds,
        "memory": _memory(size),
        "mfu": last["mfu"],
    }


def trl(size: Size, case: str, folder: Path, steps: int) -> dict[str, float]:
    """One run of trl's trainer, which is transformers' where nothing is to be masked."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    dtype = torch.float32 if size.dtype == "float32" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    tokenizer.pad_token = "<|endoftext|>"
    batch = _peers_batch(size, case, folder)
    rows = _rows(size, case, folder, steps * batch)
    times, tokens = [], []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter())

    class Counted(SFTTrainer):
        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            tokens.append(int(inputs["attention_mask"].sum()))
            return super().compute_loss(model, inputs, *rest, **more)

    with tempfile.TemporaryDirectory() as temporary:
        trainer = Counted(
            model=model,
            args=SFTConfig(
                output_dir=temporary,
                use_cpu=size.device == "cpu",
                bf16=dtype == torch.bfloat16,
                per_device_train_batch_size=batch,
                max_steps=steps,
                max_length=size.length,
                learning_rate=1e-4,
                optim="adamw_torch_fused",
                gradient_checkpointing=False,
                router_aux_loss_coef=0.001,
                completion_only_loss=case == "sft",
                logging_steps=steps,
                save_strategy="no",
                report_to=[],
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    seconds = times[-1] - times[WARMUP - 1]
    return {
        "tokens_per_second": sum(tokens[WARMUP:]) / seconds,
        "memory": _memory(size),
        "mfu": 0.0,
    }


class _Clock(SilentProgress):
    """When each step ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def task(self, label: str, total: int, unit: Unit) -> AbstractContextManager[Advance]:
        return self._steps() if label in DATA else super().task(label, total, unit)

    @contextmanager
    def _steps(self) -> Iterator[Advance]:
        yield lambda done: self.times.append(time.perf_counter())


def _recipe(size: Size, case: str, folder: Path, steps: int) -> Recipe:
    values = {
        "model": {"path": str(folder / "model"), "tokenizer": str(folder / "tokenizer")},
        "data": {
            "folder": str(folder / case),
            "length": size.length,
            "batch": size.batch,
            "micro_batch": size.batch,
        },
        "optimizer": {"lr": 1e-4},
        "schedule": {"steps": steps},
        "router": {"balance": 0.001},
        "precision": {"dtype": size.dtype},
        "log": {"every": WARMUP},
        "checkpoint": {"every": 10**6},
        "device": size.device,
    }
    return parse_recipe(values, DATA[case][2], "benchmark")


def _peers_batch(size: Size, case: str, folder: Path) -> int:
    """As many sequences as have about the tokens of ostro's packs."""
    if case == "pretrain":
        return size.batch
    lengths = open_dataset(folder / case / "train").lengths
    return round(size.batch * size.length / float(lengths.mean()))


def _rows(size: Size, case: str, folder: Path, wanted: int) -> list[dict[str, list[int]]]:
    """The data set's own token ids: windows of the stream, or whole conversations."""
    dataset = open_dataset(folder / case / "train")
    if case == "pretrain":
        starts = [n * size.length for n in range(dataset.num_tokens // size.length)]
        rows = [{"input_ids": dataset.tokens(s, s + size.length).tolist()} for s in starts]
    else:
        rows = []
        for number in range(len(dataset)):
            ids, learned = dataset.sequence(number)
            mask = learned.astype(int).tolist()
            rows.append({"input_ids": ids.tolist(), "completion_mask": mask})
    return (rows * (wanted // len(rows) + 1))[:wanted]


def _prepare(size: Size, folder: Path) -> None:
    """A tokenizer, the data, and a model with new weights, for both."""
    sample, progress = ROOT / "runs" / "sample", TerminalProgress()
    train_tokenizer(
        [sample / "books.jsonl"], folder / "tokenizer", vocab_size=2048, progress=progress
    )
    own = own_tokenizer(folder / "tokenizer")
    for case, (file, kind, _) in DATA.items():
        tokenizer = own.tokenizer
        prepare([sample / file], folder / case, kind=kind, tokenizer=tokenizer, progress=progress)
    model = new_model(size.geometry, seed=0)
    write_model(
        Parameters(size.geometry, dict(model.named_parameters())),
        own.files,
        folder / "model",
        layout=HF,
        kind=WEIGHT_TYPES["F32"],
        progress=progress,
        name="benchmark",
    )


def _memory(size: Size) -> float:
    if size.device == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated())
    return float(peak_resident_bytes())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3 * WARMUP)
    parser.add_argument("--size", choices=SIZES, default="cpu")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), help="[default: float32 on a CPU]"
    )
    parser.add_argument("--cases", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", choices=("ostro", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=DATA, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
