"""Samples of conversations: several whole ones in a pack, as far as they fit."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ostro.data.batch import Sample, join, sequence_sample
from ostro.data.dataset import Dataset
from ostro.data.sequences import Ids

_OPEN_PACKS = 32


@dataclass
class _Pack:
    room: int
    numbers: list[int] = field(default_factory=list)


def pack(sizes: Ids, order: Iterable[int], capacity: int) -> list[list[int]]:
    """Put the numbers in ``order`` into packs whose ``sizes`` sum to at most ``capacity``.

    Each goes into the first open pack that has room (first fit). A bounded number is open: when a
    new one is needed, the oldest is closed. No size may be above ``capacity``.
    """
    closed: list[list[int]] = []
    opened: list[_Pack] = []
    for number in order:
        size = int(sizes[number])
        found = next((one for one in opened if one.room >= size), None)
        if found is None:
            if len(opened) == _OPEN_PACKS:
                closed.append(opened.pop(0).numbers)
            found = _Pack(capacity)
            opened.append(found)
        found.numbers.append(number)
        found.room -= size
    return closed + [one.numbers for one in opened]


class Packs:
    """Packs of conversations, or each by itself.

    One that is longer than a sample is cut at its end; if nothing learned is left, it is dropped.
    """

    def __init__(self, dataset: Dataset, length: int, order: Ids, *, packed: bool) -> None:
        """``order`` holds the number of every sequence, in the order in which they are packed."""
        self._dataset, self._length = dataset, length
        useless = {number for number in self._too_long() if not self._learns(number)}
        self.dropped = len(useless)
        self.cut = len(self._too_long()) - self.dropped
        numbers = [number for number in order.tolist() if number not in useless]
        sizes = np.minimum(dataset.lengths, length)
        self._packs = pack(sizes, numbers, length) if packed else [[n] for n in numbers]

    def __len__(self) -> int:
        return len(self._packs)

    def __getitem__(self, number: int) -> Sample:
        return join([self._rows(sequence) for sequence in self._packs[number]])

    def _too_long(self) -> list[int]:
        numbers: list[int] = np.flatnonzero(self._dataset.lengths > self._length).tolist()
        return numbers

    def _learns(self, number: int) -> bool:
        _, learned = self._dataset.sequence(number)
        return bool(learned[: self._length].any())

    def _rows(self, number: int) -> Sample:
        ids, learned = self._dataset.sequence(number)
        ids, learned = ids[: self._length], learned[: self._length]
        return sequence_sample(ids, learned, len(ids), number)
