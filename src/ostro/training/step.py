"""One optimizer step's gradients, from the samples of its batch."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from ostro.data.batch import Sample, join
from ostro.training.expert_loads import ExpertLoads
from ostro.training.ranks import Ranks
from ostro.training.router_health import RouterHealth
from ostro.training.task import Counts, Learner, Task, count

Figures = dict[str, float]


class Gradients:
    """Adds up the gradients of a batch, micro-batch by micro-batch."""

    def __init__(
        self,
        learner: Learner,
        task: Task,
        health: RouterHealth,
        loads: ExpertLoads,
        ranks: Ranks,
        *,
        micro_batch: int,
    ) -> None:
        self._learner, self._task = learner, task
        self._health, self._loads = health, loads
        self._ranks, self._micro_batch = ranks, micro_batch

    def __call__(self, samples: Sequence[Sample]) -> tuple[Figures, Counts]:
        """The step's figures over all ranks, ``loss`` among them, and what was in the batch.

        ``samples`` are this rank's part of it.
        """
        whole, total = self._ranks_count(samples), _Sums()
        for sample in micro_batches(samples, self._micro_batch, self._ranks.device):
            loss, figures = call(self._learner, self._task, sample, whole)
            loss.backward()
            self._health.observe()
            self._loads.observe()
            total.add(figures)
        self._loads.finish_step()
        return self._ranks.sum(total.numbers()), whole

    def _ranks_count(self, samples: Sequence[Sample]) -> Counts:
        own = asdict(count(samples))
        return Counts(**{name: int(value) for name, value in self._ranks.sum(own).items()})


@torch.no_grad()
def measure(
    learner: Learner,
    task: Task,
    samples: Sequence[Sample],
    *,
    micro_batch: int,
    device: torch.device,
) -> Figures:
    """A task's figures over samples that are not learned from. All ranks measure the same."""
    whole, total = count(samples), _Sums()
    for sample in micro_batches(samples, micro_batch, device):
        total.add(call(learner, task, sample, whole)[1])
    return total.numbers()


def call(
    learner: Learner, task: Task, sample: Sample, whole: Counts
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss and the figures of one micro-batch, computed within the learner's root.

    As a tuple: the root looks for the tensors in what it gives.
    """

    def compute() -> tuple[Tensor, dict[str, Tensor]]:
        part = task(sample, whole)
        return part.loss, part.figures

    found: tuple[Tensor, dict[str, Tensor]] = learner.root(compute)
    return found


def micro_batches(samples: Sequence[Sample], size: int, device: torch.device) -> Iterator[Sample]:
    """So many samples at a time, joined, where the model computes."""
    for start in range(0, len(samples), size):
        yield join(samples[start : start + size]).to(device)


class _Sums:
    """Figures added up where they are: a number on the CPU would wait for the GPU."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def add(self, figures: dict[str, Tensor]) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def numbers(self) -> Figures:
        return {name: float(value) for name, value in self._sums.items()}
