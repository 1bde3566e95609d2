"""Records of files into a data set on disk, whole or not at all."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.data.broken import Broken
from ostro.data.kinds import Kind, converter
from ostro.data.manifest import Manifest, fingerprint, write_manifest
from ostro.data.records import Record, read_records
from ostro.data.sequences import Convert, TokenSequence
from ostro.data.shards import SHARD_TOKENS, ShardWriter
from ostro.data.sources import find_files
from ostro.data.tokenizer_hash import tokenizer_hash
from ostro.errors import OstroError
from ostro.runtime.files import whole_directory
from ostro.runtime.progress import Progress
from ostro.text.tokenizer import Tokenizer

TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class Prepared:
    """What was written, and what could not be used."""

    parts: dict[str, Manifest]
    """``train``, and ``validation`` where it was asked for."""
    broken: Broken


def prepare(
    sources: Sequence[Path],
    out: Path,
    *,
    kind: Kind,
    tokenizer: Tokenizer,
    progress: Progress,
    validation: float = 0.0,
    alone: bool = False,
    shard_tokens: int = SHARD_TOKENS,
) -> Prepared:
    """Write ``out/train``, and ``out/validation`` with about that share of the records.

    Records that can't be used are counted and passed over. ``alone`` makes every answer of a
    conversation, with all before it, a sequence of its own. An OstroError if ``out`` exists, if a
    source can't be read at all, or if a part would be empty; then nothing is left behind.
    """
    if not 0 <= validation < 1:
        raise OstroError(f"validation is a share of at least 0 and below 1, not {validation}")
    files, convert, broken = find_files(sources), converter(kind, tokenizer, alone=alone), Broken()
    names = (TRAIN, VALIDATION) if validation else (TRAIN,)
    with whole_directory(out) as folder:
        writers = {
            name: ShardWriter(folder / name, kind, tokenizer.vocab_size, shard_tokens=shard_tokens)
            for name in names
        }
        size = sum(file.stat().st_size for file in files)
        with progress.task("Preparing", size, "bytes") as advance:
            for record in read_records(files, broken, advance):
                name = VALIDATION if content_share(record.values) < validation else TRAIN
                for sequence in _converted(record, convert, broken):
                    writers[name].add(sequence)
        parts = {
            name: _finish(writer, name, kind, tokenizer, broken, files)
            for name, writer in writers.items()
        }
        for name, manifest in parts.items():
            write_manifest(manifest, folder / name)
    return Prepared(parts, broken)


def content_share(values: Mapping[str, Any]) -> float:
    """A number from 0 to below 1 that the values alone decide, wherever the record stands.

    Equal records have equal numbers, so none is both in training and in validation.
    """
    # Parquet has values that JSON lacks, such as dates.
    text = json.dumps(values, sort_keys=True, default=str)
    first = hashlib.sha256(text.encode()).digest()[:6]
    return int.from_bytes(first, "big") / (1 << 48)


def _converted(record: Record, convert: Convert, broken: Broken) -> list[TokenSequence]:
    """The record's sequences; none if it can't be used, which is reported."""
    try:
        sequences = convert(record.values)
        if not all(sequence.learned.any() for sequence in sequences):
            raise OstroError("no token of it could be learned")
    except OstroError as error:
        broken.add(record.place, str(error))
        return []
    return sequences


def _finish(
    writer: ShardWriter,
    name: str,
    kind: Kind,
    tokenizer: Tokenizer,
    broken: Broken,
    files: Sequence[Path],
) -> Manifest:
    """Write the rest of a part; what its manifest says."""
    if not writer.sequences:
        hint = (
            f"; the first: {broken.first[0].place}: {broken.first[0].reason}"
            if broken.first
            else ""
        )
        raise OstroError(f"no usable record for {name} ({broken.count} can't be used{hint})")
    shards, made_with = writer.finish(), tokenizer_hash(tokenizer)
    return Manifest(
        kind=kind,
        tokenizer_hash=made_with,
        vocab_size=tokenizer.vocab_size,
        sequences=writer.sequences,
        tokens=writer.tokens,
        learned_tokens=writer.learned_tokens,
        broken=broken.count,
        sources=tuple(file.name for file in files),
        shards=shards,
        fingerprint=fingerprint(kind, made_with, shards),
    )
