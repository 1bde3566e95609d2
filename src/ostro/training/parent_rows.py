"""What a parent says where a sample's tokens are learned: the rows that distillation compares.

A parent reads either what the model reads, or the same conversations in its own chat template. The
tokens around the answers then differ, and so does their number; the answers' tokens are the same,
and the k-th learned token of a sequence is told by one row on either side.

Its data set may end before the model's does: of the sequences beyond, it has no say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ostro.data.batch import Sample, join, sequence_sample
from ostro.data.dataset import Dataset, open_dataset
from ostro.data.sequences import Ids
from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.training.task import hidden_rows

# What must be equal in two manifests, and what to do where it isn't.
_REMEDIES = {
    "kind": "prepare both with the same --kind",
    "vocab_size": "the parent's tokenizer must have the model's vocabulary",
    "learned_tokens": "prepare both from the same files, with templates that write answers alike",
}


class ParentRows(Protocol):
    """A parent, and how it reads a sample."""

    model: Mixtral
    """The parent itself."""

    def told(self, sample: Sample) -> Tensor:
        """Which of the sample's rows it has a say of: ``[T]``, bool, L of the learned ones."""
        ...

    def __call__(self, sample: Sample) -> Tensor:
        """The rows ``[L, P]`` that the parent's head reads, without gradient.

        One for each row of the sample that it has a say of, in their order.
        """
        ...


class SameTokens:
    """The parent reads the sample itself."""

    def __init__(self, parent: Mixtral) -> None:
        self.model = parent

    def told(self, sample: Sample) -> Tensor:
        """All that are learned."""
        return sample.learned_T

    @torch.no_grad()
    def __call__(self, sample: Sample) -> Tensor:
        """One forward pass over the sample's rows."""
        return hidden_rows(self.model, sample)[sample.learned_T]


@dataclass(frozen=True)
class Rendering:
    """Conversations as one template writes them."""

    folder: Path
    """Named in errors."""
    dataset: Dataset

    @classmethod
    def open(cls, folder: Path) -> "Rendering":
        """The data set in a folder."""
        return cls(folder, open_dataset(folder))

    def learned(self, number: int) -> Ids:
        """The learned tokens of one sequence."""
        ids, learned = self.dataset.sequence(number)
        return ids[learned]

    def until(self, number: int, count: int) -> Sample:
        """One sequence, up to the row that tells the last of its first ``count`` learned tokens."""
        ids, learned = self.dataset.sequence(number)
        last = int(np.flatnonzero(learned)[count - 1]) if count else 0
        # One row even where nothing is learned: kernels know no sequences without rows.
        return sequence_sample(ids[: last + 1], learned[: last + 1], max(last, 1), number)


class OwnTemplate:
    """The parent reads the sequences of the same numbers, written in its own template."""

    def __init__(self, parent: Mixtral, models: Rendering, parents: Rendering) -> None:
        """``models`` is what samples are made of. An OstroError if the two can't be one text."""
        check_alike(models, parents)
        self.model, self._models, self._parents = parent, models, parents
        self._count = parents.dataset.manifest.sequences

    @property
    def beyond(self) -> int:
        """How many of the model's sequences it has no say of."""
        return self._models.dataset.manifest.sequences - self._count

    def told(self, sample: Sample) -> Tensor:
        """Learned rows of sequences that the parent's data set has."""
        device = sample.learned_T.device
        has_T = torch.repeat_interleave(
            torch.tensor([number < self._count for number in sample.numbers], device=device),
            torch.tensor(sample.lengths, device=device),
        )
        return sample.learned_T & has_T

    @torch.no_grad()
    def __call__(self, sample: Sample) -> Tensor:
        """One forward pass over the parent's rendering, cut where the sample's sequences are.

        An OstroError if a sequence learns other tokens there.
        """
        theirs = join(list(self._rendered(sample))).to(sample.tokens_T.device)
        return hidden_rows(self.model, theirs)[theirs.learned_T]

    def _rendered(self, sample: Sample) -> Iterator[Sample]:
        parts = sample.learned_T.cpu().split(sample.lengths)
        known = [pair for pair in zip(sample.numbers, parts, strict=True) if pair[0] < self._count]
        for number, learned in known:
            self._check(number)
            yield self._parents.until(number, int(learned.sum()))
        if not known:
            # Ranks read together where a parent is shared out, so each reads at least a row.
            yield self._parents.until(0, 0)

    def _check(self, number: int) -> None:
        if not np.array_equal(self._models.learned(number), self._parents.learned(number)):
            raise OstroError(
                f"sequence {number} of {self._models.folder} and of {self._parents.folder} learn "
                "different tokens; prepare both from the same files, with templates that write "
                "answers alike"
            )


def check_alike(models: Rendering, parents: Rendering) -> None:
    """Refuse two data sets whose sequences can't be the same ones, from their manifests alone.

    The parent's may have the first of the model's sequences and no others.
    """
    own, other = (one.dataset.manifest for one in (models, parents))
    if other.sequences > own.sequences:
        raise _unlike(
            models,
            parents,
            "sequences",
            "prepare both from the same files, or the parent's from the first of them, with the "
            "same --validation",
        )
    for what, remedy in _REMEDIES.items():
        is_part = what == "learned_tokens" and other.sequences < own.sequences
        if getattr(own, what) != getattr(other, what) and not is_part:
            raise _unlike(models, parents, what, remedy)


def _unlike(models: Rendering, parents: Rendering, what: str, remedy: str) -> OstroError:
    own, other = (getattr(one.dataset.manifest, what) for one in (models, parents))
    return OstroError(f"{models.folder} has {what} = {own} and {parents.folder} {other}; {remedy}")
