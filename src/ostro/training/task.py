"""What a run teaches: from samples to a loss whose gradient is one part of a step's.

A step's loss is a mean over everything in its global batch: over all micro-batches and all ranks.
Means of parts are not the mean of the whole, so the whole is counted first, and every part is
divided by that count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from ostro.data.batch import Sample
from ostro.model import Mixtral, Pack, RouterRecord, StepOptions


@dataclass(frozen=True)
class Counts:
    """How much there is in a global batch, or in a part of one."""

    rows: int
    """Tokens that the model reads."""
    learned: int
    """Tokens whose probability is learned."""
    sequences: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.rows + other.rows,
            self.learned + other.learned,
            self.sequences + other.sequences,
        )


def count(samples: Sequence[Sample]) -> Counts:
    """What is in these samples."""
    return Counts(
        sum(len(sample.tokens_T) for sample in samples),
        sum(int(sample.learned_T.sum()) for sample in samples),
        sum(len(sample.lengths) for sample in samples),
    )


@dataclass(frozen=True)
class Part:
    """What one micro-batch adds to a step."""

    loss: Tensor
    """A scalar to be differentiated; the parts of a step add up to its loss."""
    figures: dict[str, Tensor]
    """Scalars without gradient that add up likewise: the loss's parts, and what explains them."""


class Root(nn.Module):
    """Holds what is trained, and is called for whatever reads it.

    A model that is spread over ranks is gathered for such a call, and for nothing else.
    """

    def __init__(self, model: Mixtral, adapter: nn.Module | None = None) -> None:
        super().__init__()
        self.model = model
        if adapter is not None:
            self.adapter = adapter

    def forward(self, compute: Callable[..., Any], *inputs: Any) -> Any:
        """``compute(*inputs)``."""
        return compute(*inputs)


@dataclass(frozen=True)
class Learner:
    """The model that learns, and what watches it."""

    root: Root
    record: RouterRecord
    adapter: StepOptions | None = None
    """The low-rank additions that are trained in place of the weights."""

    @property
    def model(self) -> Mixtral:
        """The model itself."""
        return self.root.model

    def hidden(self, sample: Sample, *, without_adapter: bool = False) -> Tensor:
        """The rows ``[T, D]`` that the head reads for a sample; to be called within the root."""
        return hidden_rows(self.model, sample, None if without_adapter else self.adapter)


class Task(Protocol):
    """One way to learn."""

    def __call__(self, sample: Sample, whole: Counts) -> Part:
        """The part that ``sample``, one micro-batch, has in a step over ``whole``."""
        ...


def hidden_rows(model: Mixtral, sample: Sample, options: StepOptions | None = None) -> Tensor:
    """The rows ``[T, D]`` that the head reads for a sample."""
    pack = Pack(model.kernels, sample.lengths, model.geometry.sliding_window)
    return model.hidden(sample.tokens_T, sample.positions_T, pack, options)
