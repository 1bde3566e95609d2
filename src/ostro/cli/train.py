"""``ostro train``: recipes into runs, and runs into checkpoints."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from ostro.cli.convert import tell_written
from ostro.cli.output import note, print_rows
from ostro.config import weight_type
from ostro.config.recipe import Recipe, Task, read_recipe
from ostro.config.strict_tables import differences
from ostro.engine.load import locate
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.files import file_lock
from ostro.runtime.progress import Progress, SilentProgress, TerminalProgress
from ostro.runtime.settings import choose_settings
from ostro.training.assembly import assemble
from ostro.training.beginning import Places
from ostro.training.export import export, export_adapter
from ostro.training.ranks import Ranks, joined_ranks
from ostro.training.run import Ended
from ostro.weights.stored import DTYPE_OF_TYPE

_SIGNALLED = 128  # And the number of the signal, as shells count.


def run(task: Task, path: Path, out: Path, changes: list[str], threads: int | None) -> None:
    """Train by the recipe in ``path`` until its schedule ends, or a signal comes."""
    recipe, environment = read_recipe(path, task, changes), Environment.read()
    choose_settings(device=recipe.device, threads=threads or environment.threads)
    with joined_ranks(recipe, environment.launch) as ranks:
        # One rank speaks for all.
        progress: Progress = TerminalProgress() if ranks.is_first else SilentProgress()
        progress.note(f"{task} by {path.name}, and what is not the default:")
        for name, value in differences(recipe).items():
            progress.note(f"  {name} = {value}")
        with _only_run_in(out) if ranks.is_first else nullcontext():
            places = _places(recipe, environment, progress)
            ended = _train(recipe, places, out, progress, ranks)
        if ranks.is_first:
            _tell(ended)
    if ended.signal:
        raise typer.Exit(_SIGNALLED + ended.signal)


def _train(recipe: Recipe, places: Places, out: Path, progress: Progress, ranks: Ranks) -> Ended:
    training = assemble(recipe, places, out, progress, ranks)
    progress.note(training.describe())
    return training.train()


def _only_run_in(out: Path) -> AbstractContextManager[None]:
    return file_lock(out / ".lock", waiting_for=f"training in {out}", timeout=1)


def _tell(ended: Ended) -> None:
    print_rows(
        [
            ("step", str(ended.step)),
            *((name, f"{value:.4f}") for name, value in (ended.figures or {}).items()),
            ("checkpoint", str(ended.checkpoint)),
        ]
    )
    if ended.signal:
        note("ostro: stopped; the same command goes on from here")


@dataclass(frozen=True)
class Wanted:
    """Which checkpoint of which run, and where to write."""

    run: Path
    out: Path
    step: int | None
    best: bool

    def chosen(self) -> int | Literal["best"] | None:
        """The step; None: the last."""
        if self.best and self.step is not None:
            raise OstroError("give either --step or --best")
        return "best" if self.best else self.step


def run_export(wanted: Wanted, kind: str, *, as_json: bool) -> None:
    """Write the model of one of a run's checkpoints."""
    environment, progress = Environment.read(), TerminalProgress()
    written = export(
        wanted.run,
        wanted.out,
        step=wanted.chosen(),
        kind=weight_type(kind),
        places=lambda recipe: _places(recipe, environment, progress),
        progress=progress,
    )
    tell_written(written, as_json)


def run_export_adapter(wanted: Wanted, kind: str) -> None:
    """Write the adapter of one of a run's checkpoints, in ``kind``."""
    environment, progress = Environment.read(), TerminalProgress()
    found = weight_type(kind)
    if not found.is_dense:
        raise OstroError(f"an adapter can't be written in {kind}; say F32, F16 or BF16")
    export_adapter(
        wanted.run,
        wanted.out,
        step=wanted.chosen(),
        places=lambda recipe: _places(recipe, environment, progress),
        dtype=DTYPE_OF_TYPE[found.name],
    )
    note(f"{wanted.out}: an adapter in PEFT's layout")


def _places(recipe: Recipe, environment: Environment, progress: Progress) -> Places:
    def place(name: str) -> Path | None:
        return locate(name, environment, progress).path if name else None

    model = place(recipe.model.path)
    tokenizer = place(recipe.model.tokenizer) or model
    assert tokenizer is not None
    adapter = Path(recipe.lora.path).expanduser() if recipe.lora.path else None
    return Places(model, tokenizer, place(recipe.distillation.parent), adapter)
