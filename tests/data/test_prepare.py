"""Preparing: whole or not at all, the same from the same, with what was broken told."""

import json
import random
from contextlib import contextmanager
from pathlib import Path

import pytest

from ostro.data.broken import BrokenRecord
from ostro.data.dataset import open_dataset
from ostro.data.prepare import Prepared, content_share, prepare
from ostro.data.tokenizer_hash import tokenizer_hash
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.text.json_tokenizer import json_tokenizer
from tiny_chat import TEMPLATE, save_tokenizer

TEXTS = [{"text": f"Document number {n}.", "id": n} for n in range(200)]


@pytest.fixture
def run(tmp_path, chatml):
    """Prepare documents from lines of text into ``out``."""

    def prepare_lines(lines: list[str], out: str = "out", **options) -> Prepared:
        source = tmp_path / "source.jsonl"
        source.write_text("".join(f"{line}\n" for line in lines))
        settings = {"kind": "documents", "tokenizer": chatml, "progress": SilentProgress()}
        return prepare([source], tmp_path / out, **settings | options)

    return prepare_lines


def dumped(records: list[dict]) -> list[str]:
    return [json.dumps(record) for record in records]


def texts(folder: Path, tokenizer) -> set[str]:
    dataset = open_dataset(folder)
    return {tokenizer.decode(dataset.sequence(n)[0]) for n in range(len(dataset))}


def test_what_can_not_be_used_is_counted_and_told(run, chatml, tmp_path) -> None:
    lines = [
        '{"text": "one"}',
        "{",
        '{"title": "x"}',
        '{"text": "half \\ud800"}',
        '{"text": "two"}',
    ]
    prepared = run(lines)
    assert prepared.broken.count == 3
    assert [one.place for one in prepared.broken.first] == [f"source.jsonl:{n}" for n in (2, 3, 4)]
    assert prepared.broken.first[1] == BrokenRecord(
        "source.jsonl:3", "'text' must be a text that is not empty"
    )
    assert "half a character" in prepared.broken.first[2].reason
    assert texts(tmp_path / "out" / "train", chatml) == {"one", "two"}
    manifest = open_dataset(tmp_path / "out" / "train").manifest
    assert manifest == prepared.parts["train"]
    assert (manifest.broken, manifest.sequences, manifest.tokens) == (3, 2, 10)
    assert manifest.learned_tokens == 8
    assert manifest.sources == ("source.jsonl",)
    assert not (tmp_path / "out" / "validation").exists()


def test_validation_takes_the_same_records_in_whatever_order(run, chatml, tmp_path) -> None:
    first = run(dumped(TEXTS), "first", validation=0.2)
    shuffled = random.Random(1).sample(TEXTS, len(TEXTS))
    # Another order of the keys is the same record, too.
    run(dumped([dict(reversed(one.items())) for one in shuffled]), "second", validation=0.2)
    train, validation = (texts(tmp_path / "first" / name, chatml) for name in first.parts)
    assert train | validation == {one["text"] for one in TEXTS}
    assert not train & validation
    assert 20 <= len(validation) <= 60
    assert texts(tmp_path / "second" / "validation", chatml) == validation


def test_shares_are_spread_evenly() -> None:
    shares = [content_share(record) for record in TEXTS]
    assert sum(share < 0.5 for share in shares) == pytest.approx(100, abs=30)
    assert 0 <= min(shares) < 0.05
    assert 0.95 < max(shares) < 1


def test_a_pair_stays_together(make) -> None:
    records = [{"prompt": str(n), "chosen": "a", "rejected": "b"} for n in range(50)]
    dataset = make("preferences", records, validation=0.3)
    assert 0 < len(dataset) < 100
    assert len(dataset) % 2 == 0


def test_the_same_sources_have_the_same_fingerprint(run, tmp_path) -> None:
    prints = [run(dumped(TEXTS), name).parts["train"].fingerprint for name in ("a", "b")]
    other = run(dumped(TEXTS[1:]), "c").parts["train"].fingerprint
    assert prints[0] == prints[1] != other


def test_another_tokenizer_has_another_fingerprint(run, tmp_path, chatml) -> None:
    (tmp_path / "other").mkdir()
    save_tokenizer(tmp_path / "other", template=TEMPLATE.replace("assistant", "Assistant"))
    other = json_tokenizer(tmp_path / "other", eos_ids=chatml.eos_ids)
    # The tokens of documents are the same, but not what the model would be given.
    first, second = run(dumped(TEXTS), "a"), run(dumped(TEXTS), "b", tokenizer=other)
    a, b = first.parts["train"], second.parts["train"]
    assert a.shards == b.shards
    assert a.tokenizer_hash == tokenizer_hash(chatml) != b.tokenizer_hash == tokenizer_hash(other)
    assert a.fingerprint != b.fingerprint


class Interrupted(SilentProgress):
    """Progress that is stopped in the middle."""

    @contextmanager
    def task(self, label, total, unit):
        def advance(done: int) -> None:
            raise KeyboardInterrupt

        yield advance


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"progress": Interrupted(), "shard_tokens": 16}, KeyboardInterrupt),
        ({"validation": 1e-9}, OstroError),
    ],
)
def test_what_does_not_end_leaves_nothing(run, tmp_path, options, error) -> None:
    with pytest.raises(error):
        run(dumped(TEXTS), **options)
    assert [path.name for path in tmp_path.iterdir()] == ["source.jsonl"]


@pytest.mark.parametrize(
    ("lines", "options", "complaint"),
    [
        (
            ["x", "{}"],
            {},
            "no usable record for train .2 can't be used; .*source.jsonl:1: not JSON",
        ),
        ([], {}, "no usable record for train .0 can't be used"),
        (dumped(TEXTS), {"validation": 1e-9}, "no usable record for validation"),
        (dumped(TEXTS), {"validation": 1.0}, "validation is a share of at least 0 and below 1"),
        (dumped(TEXTS), {"out": "here"}, "here exists already; remove it"),
    ],
)
def test_what_can_not_be_prepared_is_refused(run, tmp_path, lines, options, complaint) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(OstroError, match=complaint):
        run(lines, **options)
