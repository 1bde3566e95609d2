"""``dataset.json``: what a data set is, and the hashes of its files."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ostro.config.strict_tables import parse_table
from ostro.data.kinds import Kind
from ostro.errors import OstroError
from ostro.runtime.json_files import read_table

FILE_NAME = "dataset.json"
FORMAT = 1
"""Raised when what is written would be misread by an older ostro."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A part of the stream of tokens, and the SHA-256 of each of its files."""

    tokens: int
    sequences: int
    """How many end in it."""
    tokens_sha256: str
    ends_sha256: str
    learned_sha256: str = ""
    """Empty in documents, where everything is learned and no file says so."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``dataset.json`` says; the fields are its keys."""

    format: int = FORMAT
    kind: Kind
    tokenizer_hash: str
    vocab_size: int
    sequences: int
    tokens: int
    learned_tokens: int
    """Tokens that are targets."""
    broken: int
    """Records of the sources that could not be used, of training and validation together."""
    sources: tuple[str, ...]
    """Names of files, without their folders."""
    shards: tuple[Shard, ...]
    fingerprint: str
    """What :func:`fingerprint` gives."""


def fingerprint(kind: Kind, tokenizer_hash: str, shards: tuple[Shard, ...]) -> str:
    """SHA-256 over everything that decides which tokens are read: what makes two data sets one."""
    lines = [kind, tokenizer_hash]
    for shard in shards:
        lines += [shard.tokens_sha256, shard.ends_sha256, shard.learned_sha256]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write ``dataset.json``."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n"
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``dataset.json``; an OstroError says what is wrong with it."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise OstroError(f"{folder} is no data set, for it has no {FILE_NAME}{_hint(folder)}")
    values = read_table(path)
    if values.get("format") != FORMAT:
        raise OstroError(
            f"{path} has format {values.get('format')!r}, and this ostro reads {FORMAT};"
            " prepare the data set again"
        )
    manifest = parse_table(Manifest, values, str(path))
    if manifest.fingerprint != fingerprint(manifest.kind, manifest.tokenizer_hash, manifest.shards):
        raise OstroError(f"{path} was changed: its fingerprint does not fit what it says")
    return manifest


def _hint(folder: Path) -> str:
    inside = [str(path.parent) for path in sorted(folder.glob(f"*/{FILE_NAME}"))]
    return f"; did you mean {' or '.join(inside)}?" if inside else ""
