"""Tokenizers and data sets that the tests of this room share."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ostro.data.dataset import Dataset, open_dataset
from ostro.data.kinds import Kind
from ostro.data.prepare import prepare
from ostro.runtime.progress import SilentProgress
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.tokenizer import Tokenizer
from tiny_chat import END, save_tokenizer

Make = Callable[..., Dataset]


@pytest.fixture(scope="session")
def chatml(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """ChatML over bytes: a token's id is its byte, BOS comes first, <|im_end|> ends an answer."""
    folder = tmp_path_factory.mktemp("chatml")
    save_tokenizer(folder)
    return json_tokenizer(folder, eos_ids=frozenset((END,)))


@pytest.fixture(scope="session")
def mistral() -> Tokenizer:
    """Mixtral 8x7B's own."""
    return bundled_mistral_tokenizer("v1")


def write_lines(path: Path, records: Sequence[Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def make(tmp_path: Path, chatml: Tokenizer) -> Make:
    """Prepare records and open what came of them."""

    def make_dataset(kind: Kind, records: Sequence[Any], **options: Any) -> Dataset:
        source = write_lines(tmp_path / "source.jsonl", records)
        number = len(list(tmp_path.glob("made-*")))
        settings = {"tokenizer": chatml, "progress": SilentProgress()} | options
        prepare([source], tmp_path / f"made-{number}", kind=kind, **settings)
        return open_dataset(tmp_path / f"made-{number}" / "train")

    return make_dataset
