"""Small data sets, written without records or a tokenizer."""

from pathlib import Path

import numpy as np

from ostro.data.dataset import Dataset, open_dataset
from ostro.data.kinds import Kind
from ostro.data.manifest import Manifest, fingerprint, write_manifest
from ostro.data.sequences import TokenSequence
from ostro.data.shards import ShardWriter

VOCABULARY = 300


def write_dataset(
    folder: Path,
    sequences: list[TokenSequence],
    kind: Kind = "conversations",
    shard_tokens: int = 7,
    vocab_size: int = VOCABULARY,
) -> Dataset:
    """Write sequences into a new folder and open it."""
    writer = ShardWriter(folder, kind, vocab_size, shard_tokens=shard_tokens)
    for sequence in sequences:
        writer.add(sequence)
    shards = writer.finish()
    manifest = Manifest(
        kind=kind,
        tokenizer_hash="0" * 64,
        vocab_size=vocab_size,
        sequences=writer.sequences,
        tokens=writer.tokens,
        learned_tokens=writer.learned_tokens,
        broken=0,
        sources=("a.jsonl",),
        shards=shards,
        fingerprint=fingerprint(kind, "0" * 64, shards),
    )
    write_manifest(manifest, folder)
    return open_dataset(folder)


def random_sequences(lengths: list[int]) -> list[TokenSequence]:
    """Sequences of random ids, of which about half are learned."""
    generator = np.random.default_rng(0)
    return [
        TokenSequence(
            generator.integers(VOCABULARY, size=n),
            (generator.random(n) < 0.5) & (np.arange(n) > 0),
        )
        for n in lengths
    ]
