"""Samples of preferences: the chosen answer, then the rejected one."""

import numpy as np

from ostro.data.batch import Sample, join, sequence_sample
from ostro.data.dataset import Dataset


class Pairs:
    """Pairs whole: one with a side that is longer than ``length`` is dropped."""

    cut = 0

    def __init__(self, dataset: Dataset, length: int) -> None:
        self._dataset = dataset
        longest = dataset.lengths.reshape(-1, 2).max(1)
        self._numbers = np.flatnonzero(longest <= length)
        self.dropped = len(longest) - len(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> Sample:
        chosen = 2 * int(self._numbers[number])
        return join([self._side(chosen), self._side(chosen + 1)])

    def _side(self, number: int) -> Sample:
        ids, learned = self._dataset.sequence(number)
        return sequence_sample(ids, learned, len(ids), number)
