"""The whole program on a small data folder, with a stub for the parent."""

import argparse
import json
import re
from pathlib import Path

import pytest

import demo_text.allowed
from demo_text.held_out import held_out
from demo_text.main import EVALUATION, read_arguments, run
from demo_text.outputs import OUTPUTS
from demo_text.writing import read_lines
from demo_text_data import EVALUATED, StubSampler, save_data
from demo_text_parent import save_parent_tokenizer
from ostro.data.prepare import prepare
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.weights.own_tokenizer import own_tokenizer

SILENT = SilentProgress()


@pytest.fixture
def arguments(tmp_path: Path) -> argparse.Namespace:
    data = save_data(tmp_path / "data")
    parent = save_parent_tokenizer(tmp_path / "parent")
    words = [str(data), str(tmp_path / "out"), "--parent", str(parent), "--scale", "0.2"]
    return read_arguments([*words, "--passkeys", "12", "--longest", "900"])


def test_all_is_written_and_counted(
    arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: set[str] = set()
    read = demo_text.allowed.read_records

    def recorded(files: list[Path], *others: object) -> object:
        opened.update(file.relative_to(arguments.data).as_posix() for file in files)
        return read(files, *others)

    monkeypatch.setattr(demo_text.allowed, "read_records", recorded)
    run(arguments, SILENT, StubSampler)
    assert opened == {source.path for source in demo_text.allowed.ALLOWED} | set(EVALUATED)

    tokenizer = own_tokenizer(arguments.out / "both-tokenizer").tokenizer
    card = (arguments.out / "data-card.md").read_text()
    held = held_out(EVALUATION)
    for output in OUTPUTS:
        file = output.file(arguments.out)
        records = list(read_lines(file))
        assert not any(held.overlaps(record) for record in records)
        prepared = prepare(
            [file],
            arguments.out / f"prepared-{output.name}",
            kind=output.kind,
            alone=output.kind == "conversations",
            tokenizer=tokenizer,
            progress=SILENT,
        )
        assert prepared.broken.count == 0
        part = prepared.parts["train"]
        row = f"| `{file.name}` | {len(records)} | {part.tokens} | {part.learned_tokens} |"
        assert row in card
        detail = re.findall(rf"\| `{file.name}` \| [^|]+ \| [^|]+ \| (\d+) \| (\d+) \|", card)
        sums = [sum(int(row[column]) for row in detail) for column in (0, 1)]
        assert sums == [len(records), part.tokens]


def test_what_is_there_stays(arguments: argparse.Namespace) -> None:
    arguments.only = ["people", "sampled"]
    run(arguments, SILENT, StubSampler)
    names = {path.name for path in arguments.out.iterdir()}
    assert {"people.jsonl", "sampled.jsonl", "data-card.md", "inst-tokenizer"} <= names
    assert not {"kinds.jsonl", "documents.jsonl"} & names
    assert not [name for name in names if name.startswith(".")]
    file = arguments.out / "people.jsonl"
    file.write_text(json.dumps({"messages": [], "source": "x"}) + "\n")
    arguments.only = ["kinds"]
    file.unlink()
    before = (arguments.out / "sampled.jsonl").read_bytes()
    arguments.only = ["sampled", "people"]

    def never() -> StubSampler:
        raise AssertionError("sampled again")

    run(arguments, SILENT, never)
    assert (arguments.out / "sampled.jsonl").read_bytes() == before
    assert file.exists()


def test_another_seed_wants_another_folder(arguments: argparse.Namespace) -> None:
    arguments.only = ["kinds"]
    run(arguments, SILENT, StubSampler)
    arguments.seed = 1
    with pytest.raises(OstroError, match="another seed"):
        run(arguments, SILENT, StubSampler)


@pytest.mark.parametrize(
    "change", [{"scale": 0.0}, {"passkeys": 0}, {"shortest": 10}, {"longest": 200}]
)
def test_senseless_sizes_are_refused(
    arguments: argparse.Namespace, change: dict[str, float]
) -> None:
    vars(arguments).update(change)
    with pytest.raises(OstroError, match="--"):
        run(arguments, SILENT, StubSampler)
