"""One optimizer step's gradients, from the samples of its batch."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ostro.data.batch import Sample, join
from ostro.training.router_health import RouterHealth
from ostro.training.task import Counts, Task, count

Figures = dict[str, float]


class Gradients:
    """Adds up the gradients of a batch, micro-batch by micro-batch."""

    def __init__(
        self, task: Task, health: RouterHealth, *, micro_batch: int, device: torch.device
    ) -> None:
        self._task, self._health = task, health
        self._micro_batch, self._device = micro_batch, device

    def __call__(self, samples: Sequence[Sample]) -> tuple[Figures, Counts]:
        """The step's figures, ``loss`` among them, and what was in the batch."""
        whole, total = count(samples), _Sums()
        for sample in micro_batches(samples, self._micro_batch, self._device):
            part = self._task(sample, whole)
            part.loss.backward()
            self._health.observe()
            total.add(part.figures)
        return total.numbers(), whole


@torch.no_grad()
def measure(
    task: Task, samples: Sequence[Sample], *, micro_batch: int, device: torch.device
) -> Figures:
    """A task's figures over samples that are not learned from."""
    whole, total = count(samples), _Sums()
    for sample in micro_batches(samples, micro_batch, device):
        total.add(task(sample, whole).figures)
    return total.numbers()


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
