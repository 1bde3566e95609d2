"""Samples of documents: windows of one length, side by side over the stream."""

from itertools import pairwise

import numpy as np

from ostro.data.batch import Sample, join, sequence_sample
from ostro.data.dataset import Dataset


class Windows:
    """Every token is a row of exactly one window, but for those after the last whole one.

    No target crosses from one document to the next. A document that a window's edge cuts starts
    again at position 0 in the next window; the last row before the edge still has its target.
    """

    cut = 0
    dropped = 0

    def __init__(self, dataset: Dataset, length: int) -> None:
        self._dataset, self._length = dataset, length

    def __len__(self) -> int:
        return self._dataset.num_tokens // self._length

    def __getitem__(self, number: int) -> Sample:
        start = number * self._length
        stop = start + self._length
        ends = self._dataset.ends
        inside = ends[slice(*np.searchsorted(ends, (start + 1, stop)))].tolist()
        pieces = [self._piece(a, b) for a, b in pairwise([start, *inside, stop])]
        return join(pieces)

    def _piece(self, start: int, stop: int) -> Sample:
        """Rows of one document; the token after them is read as well if it is the document's."""
        number = int(np.searchsorted(self._dataset.ends, stop))
        is_whole = self._dataset.ends[number] == stop
        behind = stop if is_whole else stop + 1
        ids, learned = self._dataset.tokens(start, behind), self._dataset.learned(start, behind)
        return sequence_sample(ids, learned, stop - start, number)
