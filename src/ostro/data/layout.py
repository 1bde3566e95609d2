"""How a data set is cut into samples: what an epoch consists of, before it is shuffled."""

from typing import Protocol

import numpy as np

from ostro.data.batch import Sample
from ostro.data.dataset import Dataset
from ostro.data.packing import Packs
from ostro.data.pairs import Pairs
from ostro.data.shuffle import permutation
from ostro.data.windows import Windows


class Layout(Protocol):
    """The samples of a data set by number; each is made when it is asked for."""

    @property
    def cut(self) -> int:
        """Sequences that lost their end, because they are longer than a sample."""
        ...

    @property
    def dropped(self) -> int:
        """Conversations or pairs that are in no sample, because they are too long."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Sample: ...


def build_layout(
    dataset: Dataset, length: int, *, packed: bool = True, seed: int | None = None
) -> Layout:
    """Samples of at most ``length`` rows; of pairs, it is each side that has at most so many.

    Conversations share a sample if they are ``packed``. Which ones do is decided by ``seed``;
    without one, neighbours do. It stays the same in all epochs: since no row sees another
    conversation, company changes nothing, and so an epoch has always the same number of samples.
    """
    if dataset.kind == "documents":
        return Windows(dataset, length)
    if dataset.kind == "preferences":
        return Pairs(dataset, length)
    count = len(dataset)
    order = np.arange(count) if seed is None else permutation(count, seed)
    return Packs(dataset, length, order, packed=packed)
