"""A data set on disk, mapped into memory: only what is read is loaded."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostro.data.kinds import Kind
from ostro.data.manifest import Manifest, read_manifest
from ostro.data.sequences import Ids, Mask
from ostro.data.shards import file_name, has_masks, token_type
from ostro.errors import OstroError


class Dataset:
    """Sequences of tokens, one after another in one long stream."""

    def __init__(
        self,
        manifest: Manifest,
        tokens: Sequence[NDArray[Any]],
        ends: Ids,
        learned: Sequence[NDArray[Any]],
    ) -> None:
        """``tokens`` and ``learned`` are the stream in its shards; documents have no ``learned``.

        ``ends`` are where in the stream the sequences end.
        """
        self.manifest = manifest
        self.ends = ends
        self.lengths: Ids = np.diff(ends, prepend=0)
        """Tokens of every sequence."""
        self._tokens, self._learned = tokens, learned
        self._shard_starts = np.cumsum([0, *map(len, tokens[:-1])]).tolist()

    @property
    def kind(self) -> Kind:
        """Documents, conversations or preferences."""
        return self.manifest.kind

    @property
    def fingerprint(self) -> str:
        """The same for two data sets only if the same tokens are read from both."""
        return self.manifest.fingerprint

    @property
    def tokenizer_hash(self) -> str:
        """That of the tokenizer that made it (:mod:`ostro.data.tokenizer_hash`)."""
        return self.manifest.tokenizer_hash

    @property
    def vocab_size(self) -> int:
        """Every token id is below this."""
        return self.manifest.vocab_size

    @property
    def num_tokens(self) -> int:
        """Tokens of all sequences together."""
        return self.manifest.tokens

    def __len__(self) -> int:
        """How many sequences there are."""
        return len(self.ends)

    def sequence(self, number: int) -> tuple[Ids, Mask]:
        """The tokens of one sequence, and which of them are learned."""
        stop = int(self.ends[number])
        start = stop - int(self.lengths[number])
        return self.tokens(start, stop), self.learned(start, stop)

    def tokens(self, start: int, stop: int) -> Ids:
        """A copy of the stream's tokens ``start`` to ``stop``, whichever shards they lie in."""
        return self._span(self._tokens, start, stop, np.empty(0, np.int64))

    def learned(self, start: int, stop: int) -> Mask:
        """For the same tokens, which of them are learned. The first of a sequence never is."""
        if self._learned:
            return self._span(self._learned, start, stop, np.empty(0, np.bool_))
        starts = self.ends - self.lengths
        mask = np.ones(stop - start, np.bool_)
        mask[starts[slice(*np.searchsorted(starts, (start, stop)))] - start] = False
        return mask

    def _span(
        self, shards: Sequence[NDArray[Any]], start: int, stop: int, empty: NDArray[Any]
    ) -> NDArray[Any]:
        assert 0 <= start <= stop <= self.num_tokens
        parts = [
            shard[max(start - begin, 0) : stop - begin]
            for shard, begin in zip(shards, self._shard_starts, strict=True)
            if begin < stop and start < begin + len(shard)
        ]
        return np.concatenate([empty, *parts])


def open_dataset(folder: str | Path) -> Dataset:
    """Map a data set that :func:`ostro.data.prepare.prepare` wrote.

    An OstroError if it is another format's, or if its files are missing or not what they should be.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)

    def load(what: str, dtype: type[np.generic], counts: Iterable[int]) -> list[NDArray[Any]]:
        return [
            _open(folder / file_name(what, number), dtype, size)
            for number, size in enumerate(counts)
        ]

    lengths = [shard.tokens for shard in manifest.shards]
    tokens = load("tokens", token_type(manifest.vocab_size), lengths)
    ends = load("ends", np.int64, (shard.sequences for shard in manifest.shards))
    learned = load("learned", np.bool_, lengths) if has_masks(manifest.kind) else []
    dataset = Dataset(manifest, tokens, np.concatenate([np.empty(0, np.int64), *ends]), learned)
    _check_counts(dataset, folder)
    return dataset


def _open(path: Path, dtype: type[np.generic], count: int) -> NDArray[Any]:
    try:
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise OstroError(f"{path}: not readable ({error}); prepare the data set again") from error
    if values.dtype != dtype or values.shape != (count,):
        raise OstroError(
            f"{path} holds {values.dtype} {list(values.shape)}, and its manifest says"
            f" {np.dtype(dtype)} [{count}]; prepare the data set again"
        )
    return values


def _check_counts(dataset: Dataset, folder: Path) -> None:
    """The manifest's sums, and sequences that are not empty and make up the stream."""
    manifest, shards = dataset.manifest, dataset.manifest.shards
    tokens, sequences = sum(s.tokens for s in shards), sum(s.sequences for s in shards)
    is_whole = (tokens, sequences) == (manifest.tokens, manifest.sequences) and sequences > 0
    if not is_whole or dataset.ends[-1] != tokens or dataset.lengths.min() <= 0:
        raise OstroError(f"{folder}: its counts don't agree; prepare the data set again")
