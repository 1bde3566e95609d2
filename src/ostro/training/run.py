"""The loop: steps until the schedule ends, somebody stops it, or something goes wrong."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ostro.config import format_count
from ostro.config.recipe import Recipe
from ostro.config.strict_tables import to_table
from ostro.data.batch import Sample
from ostro.data.loader import Loader
from ostro.runtime.progress import Advance, Progress
from ostro.training.checkpoints import Checkpoints, load_tensors, read_state
from ostro.training.drift import RoutingDrift
from ostro.training.expert_loads import ExpertLoads
from ostro.training.failures import Watch, save_batch
from ostro.training.log import Log, RunLog, SilentLog
from ostro.training.master_weights import MasterWeights
from ostro.training.optimizer import AdamW
from ostro.training.ranks import Ranks
from ostro.training.router_health import RouterHealth
from ostro.training.schedule import rate
from ostro.training.sharding import ShardedWeights
from ostro.training.signals import StopRequest, stop_on_signal
from ostro.training.step import Figures, Gradients
from ostro.training.task import Learner
from ostro.training.throughput import Throughput


@dataclass(frozen=True)
class Parts:
    """What a run is put together from (:mod:`ostro.training.assembly`)."""

    recipe: Recipe
    folder: Path
    ranks: Ranks
    steps: int
    loader: Loader
    learner: Learner
    weights: MasterWeights | ShardedWeights
    optimizer: AdamW
    gradients: Gradients
    health: RouterHealth
    drift: RoutingDrift
    loads: ExpertLoads
    throughput: Throughput
    checkpoints: Checkpoints
    validate: Callable[[], Figures]
    """The figures on the validation data; empty where there are none."""
    progress: Progress


@dataclass(frozen=True)
class Ended:
    """How a run came to its end."""

    step: int
    reason: Literal["done", "stopped"]
    checkpoint: Path
    signal: int = 0
    """Of the signal that stopped it."""
    figures: Mapping[str, float] | None = None
    """The last line's."""


class Run:
    """A training run, from its last checkpoint on."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._recipe = parts, parts.recipe
        self.step = 0
        """Steps that were taken."""
        self.tokens = 0
        """Tokens that were read, over all ranks."""
        self._watch = Watch(parts.recipe.failure)
        self._saved_at = time.monotonic()
        self._figures: Figures = {}
        self._validations: dict[int, float] = {}

    def resume(self, checkpoint: Path, state: Mapping[str, Any]) -> None:
        """Go on where ``checkpoint`` was written; ``state`` is its own."""
        tensors = self._tensors()
        load_tensors(checkpoint, tensors)
        torch.set_rng_state(tensors["random.cpu"])
        self._parts.weights.publish()
        self.step, self.tokens = state["step"], state["tokens"]
        self._watch = Watch(self._recipe.failure, state["watch"])

    @property
    def learner(self) -> Learner:
        """The model as it is now."""
        return self._parts.learner

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """What is learned, in float32: names begin with ``model.`` or ``adapter.``."""
        return self._parts.weights.named

    def describe(self) -> str:
        """What will be trained, in one line."""
        parts = self._parts
        trained = sum(weight.numel() for weight in parts.weights.named.values())
        begun = f"from step {self.step} " if self.step else ""
        return (
            f"{format_count(trained)} trained parameters ({trained:,}), {begun}to step "
            f"{parts.steps}; "
            f"an epoch has {parts.loader.samples_per_epoch} samples"
        )

    def train(self) -> Ended:
        """Every step that is left; a checkpoint at the end, however it comes."""
        parts = self._parts
        log: Log = SilentLog()
        if parts.ranks.is_first:
            board = self._recipe.log.tensorboard
            log = RunLog(parts.folder, parts.progress, step=self.step, tensorboard=board)
        left = parts.steps - self.step
        try:
            with (
                stop_on_signal() as request,
                parts.progress.task(self._recipe.task, left, "items") as advance,
            ):
                return self._steps(log, request, advance)
        finally:
            log.close()

    def _steps(self, log: Log, request: StopRequest, advance: Advance) -> Ended:
        stopped_by, late = self._agreed(request)
        while self.step < self._parts.steps and not stopped_by:
            samples = self._parts.loader.next_batch()
            line = self._take(samples)
            self.step += 1
            is_last = self.step == self._parts.steps
            if is_last or self.step % self._recipe.log.every == 0 or "note" in line:
                log.write(self._explained(line))
            if self._wants_validation(is_last):
                self._validate(log)
            if not is_last and (late or self.step % self._recipe.checkpoint.every == 0):
                self._save()
            advance(1)
            stopped_by, late = self._agreed(request)
        reason: Literal["done", "stopped"] = "stopped" if stopped_by else "done"
        return Ended(self.step, reason, self._save(), stopped_by, self._figures)

    def _agreed(self, request: StopRequest) -> tuple[int, bool]:
        """The signal that ends the run, 0 if none; and whether it is time for a checkpoint.

        A signal may reach one rank, and clocks differ: all ranks do what any of them wants.
        """
        minutes = self._recipe.checkpoint.minutes
        late = bool(minutes) and time.monotonic() - self._saved_at > minutes * 60
        own = {"signal": float(request.signal or 0), "asked": float(request.signal is not None)}
        told = self._parts.ranks.sum(own | {"late": float(late)})
        signal = round(told["signal"] / told["asked"]) if told["asked"] else 0
        return signal, told["late"] > 0

    def _take(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """One step; what there is to say about it."""
        parts = self._parts
        parts.optimizer.forget_gradients()
        figures, whole = parts.gradients(samples)
        self.tokens += whole.rows
        norm = float(parts.weights.finish_gradients())
        parts.optimizer.clip(norm)
        share = rate(self._recipe.schedule, self.step, parts.steps)
        line = figures | {"lr": self._recipe.optimizer.lr * share, "grad_norm": norm}
        problem = self._watch.problem(figures["loss"], norm)
        if problem is None:
            parts.optimizer.step(share)
            parts.weights.publish()
            self._figures = figures
            parts.throughput.count(samples)
            return line
        saved = save_batch(
            parts.folder / "batches", self.step + 1, samples, problem, rank=parts.ranks.rank
        )
        self._watch.skip_or_stop(problem, self.step + 1, saved)
        return line | {"note": f"left out: {problem}"}

    def _explained(self, line: dict[str, Any]) -> dict[str, Any]:
        parts = self._parts
        epoch = round(parts.loader.epoch, 4)
        line = {"step": self.step, "tokens": self.tokens, "epoch": epoch} | line
        line |= parts.throughput.report()
        router = parts.health.report() | parts.drift.report()
        return line | ({"router": router} if router else {})

    def _wants_validation(self, is_last: bool) -> bool:
        every = self._recipe.validation.every
        return is_last or (every > 0 and self.step % every == 0)

    def _validate(self, log: Log) -> None:
        figures = self._parts.validate()
        if figures:
            self._validations[self.step] = figures["loss"]
            told = {f"validation_{name}": value for name, value in figures.items()}
            log.write({"step": self.step} | told)

    def _save(self) -> Path:
        parts = self._parts
        if self.step in parts.checkpoints.steps():  # Nothing was learned since.
            latest = parts.checkpoints.latest()
            assert latest is not None
            return latest
        state = {
            "step": self.step,
            "tokens": self.tokens,
            "recipe": to_table(self._recipe),
            "loader": parts.loader.state(),
            "watch": self._watch.state(),
            "figures": self._figures,
        }
        metric = self._validations.get(self.step)
        saved = parts.checkpoints.save(self.step, self._tensors(), state, metric=metric)
        self._saved_at = time.monotonic()
        return saved

    def _tensors(self) -> dict[str, Tensor]:
        """Everything that changes while a model learns."""
        parts = self._parts
        weights = {name: weight.data for name, weight in parts.weights.named.items()}
        return {
            **weights,
            **parts.optimizer.tensors(),
            **parts.drift.tensors(),
            **parts.loads.tensors(),
            "random.cpu": torch.get_rng_state(),
        }


def resumable(checkpoints: Checkpoints) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint and its state; None where a run has none yet."""
    latest = checkpoints.latest()
    return None if latest is None else (latest, read_state(latest))
