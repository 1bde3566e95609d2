"""``ostro data``: records into tokens, and a look at them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from ostro.cli.output import note, print_json, print_rows
from ostro.data.broken import Broken
from ostro.data.dataset import Dataset, open_dataset
from ostro.data.kinds import find_kind
from ostro.data.manifest import Manifest
from ostro.data.prepare import prepare
from ostro.data.tokenizer_hash import tokenizer_hash
from ostro.data.train_tokenizer import train_tokenizer
from ostro.engine.load import locate
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.text.tokenizer import Tokenizer
from ostro.weights.own_tokenizer import own_tokenizer

_LEARNED = ("\u27e6", "\u27e7")  # White square brackets.


def run_prepare(
    sources: Sequence[Path],
    out: Path,
    kind: str,
    tokenizer: str,
    validation: float,
    *,
    alone: bool,
    as_json: bool,
) -> None:
    """Write ``out`` and print what is in it."""
    prepared = prepare(
        sources,
        out,
        kind=find_kind(kind),
        tokenizer=read_tokenizer(tokenizer),
        validation=validation,
        alone=alone,
        progress=TerminalProgress(),
    )
    if as_json:
        counts = {name: _counts(manifest) for name, manifest in prepared.parts.items()}
        print_json({"folder": str(out), **counts, "broken": _broken(prepared.broken)})
        return
    print_rows((str(out / name), _in_words(part)) for name, part in prepared.parts.items())
    _tell_broken(prepared.broken)


def run_show(folder: Path, sample: int, tokenizer: str | None, *, as_json: bool) -> None:
    """Print the manifest in short, and the first sequences as the tokenizer reads them."""
    dataset = open_dataset(folder)
    reader = None
    if sample:
        if tokenizer is None:
            raise OstroError("--sample needs --tokenizer, the model that the data were made for")
        reader = read_tokenizer(tokenizer)
        if tokenizer_hash(reader) != dataset.tokenizer_hash:
            raise OstroError(f"{folder} was made with another tokenizer than that of {tokenizer}")
    numbers = range(min(sample, len(dataset)))
    texts = [marked(dataset, number, reader) for number in numbers] if reader else []
    manifest = dataset.manifest
    if as_json:
        print_json(_counts(manifest) | {"sources": list(manifest.sources), "samples": texts})
        return
    print_rows(
        [
            ("kind", manifest.kind),
            ("content", _in_words(manifest)),
            ("vocabulary", f"{manifest.vocab_size:,} pieces"),
            ("sources", ", ".join(manifest.sources)),
            ("not usable", f"{manifest.broken:,} records"),
            ("fingerprint", manifest.fingerprint),
        ]
    )
    for number, text in zip(numbers, texts, strict=True):
        print(f"\n--- {number}: {dataset.lengths[number]:,} tokens\n{text}")


def run_tokenizer(sources: Sequence[Path], out: Path, vocab_size: int, *, as_json: bool) -> None:
    """Write a tokenizer's folder and say how large it became."""
    trained = train_tokenizer(sources, out, vocab_size=vocab_size, progress=TerminalProgress())
    if as_json:
        report = {"vocab_size": trained.vocab_size, "broken": _broken(trained.broken)}
        print_json({"folder": str(out), **report})
        return
    print(f"{out}: {trained.vocab_size:,} pieces")
    _tell_broken(trained.broken)


def read_tokenizer(model: str) -> Tokenizer:
    """The tokenizer of a model, or of a folder that has nothing else."""
    path = locate(model, Environment.read(), TerminalProgress()).path
    return own_tokenizer(path).tokenizer


def marked(dataset: Dataset, number: int, tokenizer: Tokenizer) -> str:
    """A sequence's text: special tokens written out, and what is learned in brackets."""
    ids, learned = dataset.sequence(number)
    names = {special: piece for piece, special in tokenizer.special_pieces.items()}
    text = ""
    runs = groupby(zip(ids.tolist(), learned.tolist(), strict=True), key=lambda pair: pair[1])
    for is_learned, run in runs:
        data = b"".join(_shown([token for token, _ in run], names, tokenizer))
        part = data.decode("utf-8", "replace")
        text += part.join(_LEARNED) if is_learned else part
    return text


def _shown(ids: list[int], names: dict[int, str], tokenizer: Tokenizer) -> Iterator[bytes]:
    for token in ids:
        yield names[token].encode() if token in names else tokenizer.token_bytes(token)


def _in_words(manifest: Manifest) -> str:
    return (
        f"{manifest.sequences:,} sequences, {manifest.tokens:,} tokens,"
        f" {manifest.learned_tokens:,} of them learned"
    )


def _counts(manifest: Manifest) -> dict[str, Any]:
    names = ("kind", "sequences", "tokens", "learned_tokens", "broken", "fingerprint")
    return {name: getattr(manifest, name) for name in names}


def _broken(broken: Broken) -> dict[str, Any]:
    return {"count": broken.count, "first": [asdict(one) for one in broken.first]}


def _tell_broken(broken: Broken) -> None:
    """How many records can't be used, and why the first of them can't."""
    if broken.count:
        note(f"records that can't be used: {broken.count:,}; the first of them:")
    for one in broken.first:
        note(f"  {one.place}: {one.reason}")
