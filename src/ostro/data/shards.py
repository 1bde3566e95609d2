"""Writing a data set: sequences one after another, cut into files of a given length.

A shard is up to three NumPy files: ``tokens-00000.npy``; ``ends-00000.npy``, where in the whole
stream those sequences end that end in it; and, unless everything is learned,
``learned-00000.npy``, a bool for each token. A sequence may go on in the next shard.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostro.data.kinds import Kind
from ostro.data.manifest import Shard
from ostro.data.sequences import TokenSequence

SHARD_TOKENS = 1 << 26
"""Tokens of a shard unless said otherwise: 128 MiB of a vocabulary of up to 65,536."""


def token_type(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest type that holds every token id."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


def has_masks(kind: Kind) -> bool:
    """Whether it is written down which tokens are learned; in documents all are."""
    return kind != "documents"


def file_name(what: str, number: int) -> str:
    """The name of one file of shard ``number``; ``what`` is tokens, ends or learned."""
    return f"{what}-{number:05d}.npy"


class ShardWriter:
    """Writes sequences into a folder, which it makes. No more than one shard is in memory."""

    def __init__(
        self, folder: Path, kind: Kind, vocab_size: int, *, shard_tokens: int = SHARD_TOKENS
    ) -> None:
        folder.mkdir()
        self._folder, self._vocab_size = folder, vocab_size
        self._tokens = np.empty(shard_tokens, token_type(vocab_size))
        self._learned = np.empty(shard_tokens if has_masks(kind) else 0, np.bool_)
        self._filled = 0
        self._ends: list[int] = []
        self.sequences = self.tokens = self.learned_tokens = 0
        self._shards: list[Shard] = []

    def add(self, sequence: TokenSequence) -> None:
        """Append a sequence, which is not empty; full shards go to the disk."""
        assert 0 <= sequence.ids.min() <= sequence.ids.max() < self._vocab_size
        self.sequences += 1
        self.tokens += len(sequence)
        self.learned_tokens += int(sequence.learned.sum())
        taken = 0
        while taken < len(sequence):
            taken += self._fill(sequence, taken)
            if taken == len(sequence):
                self._ends.append(self.tokens)
            if self._filled == len(self._tokens):
                self._flush()

    def finish(self) -> tuple[Shard, ...]:
        """Write what is left; all shards."""
        if self._filled:
            self._flush()
        return tuple(self._shards)

    def _fill(self, sequence: TokenSequence, start: int) -> int:
        """Copy tokens from number ``start`` on while there is room; how many."""
        count = min(len(sequence) - start, len(self._tokens) - self._filled)
        place, part = slice(self._filled, self._filled + count), slice(start, start + count)
        self._tokens[place] = sequence.ids[part]
        if len(self._learned):
            self._learned[place] = sequence.learned[part]
        self._filled += count
        return count

    def _flush(self) -> None:
        shard = Shard(
            tokens=self._filled,
            sequences=len(self._ends),
            tokens_sha256=self._save("tokens", self._tokens[: self._filled]),
            ends_sha256=self._save("ends", np.array(self._ends, np.int64)),
        )
        if len(self._learned):
            mask = self._save("learned", self._learned[: self._filled])
            shard = replace(shard, learned_sha256=mask)
        self._shards.append(shard)
        self._filled, self._ends = 0, []

    def _save(self, what: str, values: NDArray[Any]) -> str:
        """Write one file of the current shard; its hash."""
        path = self._folder / file_name(what, len(self._shards))
        np.save(path, values, allow_pickle=False)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
