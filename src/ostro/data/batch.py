"""Samples as the model reads them: flat rows of one or many sequences, one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ostro.data.sequences import Ids, Mask


@dataclass(frozen=True)
class Sample:
    """T rows; on the CPU, unless moved."""

    tokens_T: Tensor
    """int64"""
    positions_T: Tensor
    """int64, from 0 in each sequence."""
    targets_T: Tensor
    """int64: the token that follows in the same sequence; 0 where none does."""
    learned_T: Tensor
    """bool: whether the target is to be learned."""
    lengths: tuple[int, ...]
    """Rows of each sequence, in order; their sum is T."""
    numbers: tuple[int, ...]
    """Which of the data set's sequences these are, or are parts of."""

    def to(self, device: torch.device) -> "Sample":
        """The same rows on ``device``."""
        return Sample(
            self.tokens_T.to(device),
            self.positions_T.to(device),
            self.targets_T.to(device),
            self.learned_T.to(device),
            self.lengths,
            self.numbers,
        )


def sequence_sample(ids: Ids, learned: Mask, rows: int, number: int) -> Sample:
    """Sequence ``number`` in so many rows. One id more is the last row's target, without a row."""
    targets, learns = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    known = min(rows, len(ids) - 1)
    targets[:known] = ids[1 : known + 1]
    learns[:known] = learned[1 : known + 1]
    return Sample(
        torch.from_numpy(ids[:rows]),
        torch.arange(rows),
        torch.from_numpy(targets),
        torch.from_numpy(learns),
        (rows,),
        (number,),
    )


def join(samples: Sequence[Sample]) -> Sample:
    """The rows of all samples, one after another."""
    return Sample(
        torch.cat([sample.tokens_T for sample in samples]),
        torch.cat([sample.positions_T for sample in samples]),
        torch.cat([sample.targets_T for sample in samples]),
        torch.cat([sample.learned_T for sample in samples]),
        tuple(length for sample in samples for length in sample.lengths),
        tuple(number for sample in samples for number in sample.numbers),
    )
