"""What people wrote: which files may be opened, and what becomes of their records."""

import random
import re
from pathlib import Path

import pytest

from demo_checks.preferences import FILES as CHECKED
from demo_text.allowed import ALLOWED, EVALUATED_PREFERENCES, open_source
from demo_text.human.documents import FILES, MOST_CHARACTERS, cut, document_records
from demo_text.human.passkeys import (
    Filler,
    Lengths,
    book_fillers,
    hidden,
    passkey_records,
    sentences_of,
)
from demo_text.human.people import PARTS, arithmetic, chat, people_records, shell
from demo_text.human.preferences import FILES as PREFERENCES
from demo_text.human.preferences import evaluated_questions, preference_records
from demo_text.sampled.questions import POOLS
from demo_text_data import FORBIDDEN, save_data
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress

SILENT = SilentProgress()


def test_no_licence_asks_for_the_same_licence() -> None:
    for source in ALLOWED:
        assert not re.search(r"\bSA\b|GFDL|GPL|MPL|NC|ND\b", source.licence), source
        assert source.origin
        assert not source.path.startswith("eval/")
        assert not re.search(
            r"MACHINE_GENERATED|llmbar|_val\.|wikitext|office|handbook", source.path
        )
    assert len({source.path for source in ALLOWED}) == len(ALLOWED)


def test_every_file_that_is_used_is_in_the_table() -> None:
    used = {part.path for part in PARTS} | {path for path, *_ in POOLS} | set(FILES)
    assert used | {path for path, _ in PREFERENCES} == {source.path for source in ALLOWED}
    for shares in ([part.share for part in PARTS], [share for _, share in PREFERENCES]):
        assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("path", FORBIDDEN)
def test_other_files_are_not_opened(path: str, tmp_path: Path) -> None:
    save_data(tmp_path)
    with pytest.raises(OstroError, match="not among the files"):
        list(open_source(tmp_path, path, SILENT))


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    path = "sft/gsm8k_train.jsonl.gz"
    with pytest.raises(OstroError, match="does not exist"):
        list(open_source(tmp_path, path, SILENT))
    save_data(tmp_path)
    (tmp_path / path).write_bytes(b"no gzip")
    with pytest.raises(OstroError, match="can't be read"):
        list(open_source(tmp_path, path, SILENT))


def test_records_become_conversations() -> None:
    draw = random.Random(0)
    worked = {"question": "2 and 3?", "answer": "It is 2+3=<<2+3=5>>5.\n#### 5"}
    assert arithmetic(worked, draw) == ["2 and 3?", "It is 2+3=5.\nThe answer is 5."]
    command = {"prompt": "List all.", "response": "ls {{[-a|--all]}} {{path/to/file}}"}
    assert shell(command, draw) == ["List all.", "ls --all path/to/file"]
    assert chat({"messages": [{"role": "assistant", "content": "Hi"}]}, draw) == []


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.path)
def test_every_part_gives_turns_with_text(part, tmp_path: Path) -> None:
    records = list(people_records(save_data(tmp_path), part, 0, SILENT))
    assert len(records) >= 15
    for record in records:
        roles = [message["role"] for message in record["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(m["content"] == m["content"].strip() != "" for m in record["messages"])
        assert not any(mark in repr(record) for mark in ("<<", "{{", "\\r"))


def test_pieces_are_short_and_lose_nothing() -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "word " * (n * 7 % 300) for n in range(60))
    pieces = list(cut(text))
    assert all(len(piece) <= MOST_CHARACTERS for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert [len(piece) for piece in cut("x" * 7000)] == [3000, 3000, 1000]


def test_documents_keep_their_domain(tmp_path: Path) -> None:
    records = list(document_records(save_data(tmp_path), FILES[0], 0, 1000, SILENT))
    assert len(records) == 21
    assert {(record["domain"], record["lang"]) for record in records} == {("rivers", "en")}
    again = list(document_records(tmp_path, FILES[0], 0, 1000, SILENT))
    assert records == again != list(document_records(tmp_path, FILES[0], 1, 1000, SILENT))


@pytest.mark.parametrize("path", [path for path, _ in PREFERENCES])
def test_preferences_have_one_form(path: str, tmp_path: Path) -> None:
    data = save_data(tmp_path)
    records = list(preference_records(data, path, 0, evaluated_questions(data, SILENT), SILENT))
    asked = {record["messages"][0]["content"] for record in records}
    own = "yes_no" in path  # Every fifth of its own pairs is for evaluation.
    kept = {f"Do you like river {n}?" for n in range(0, 30, 5)}
    assert not asked & ({"Is river 3 deep?", "Sort 5 rivers."} | kept)
    assert len(records) == (29 if "hh_" in path or "pandalm" in path else 24 if own else 30)
    for record in records:
        assert record["messages"][-1]["role"] == "user"
        assert record["chosen"].strip() == record["chosen"] != record["rejected"]


def test_what_the_check_of_preferences_reads_is_left_out() -> None:
    left_out = {Path(path).name: every for path, every in EVALUATED_PREFERENCES}
    assert left_out == {f"{name}.jsonl.gz": every for name, every in CHECKED.items()}


def test_a_key_stands_where_it_should() -> None:
    sentences = ["One.", "Two.", "Three.", "Four."]
    assert hidden(sentences, "KEY", 0) == "KEY\nOne. Two. Three. Four."
    assert hidden(sentences, "KEY", 0.5) == "One. Two.\nKEY\nThree. Four."
    assert hidden(sentences, "KEY", 1) == "One. Two. Three. Four.\nKEY"
    assert sentences_of("A first one.\nA second\none! 7. Open end") == [
        "A first one.",
        "A second one!",
    ]


def test_passkeys_cover_lengths_and_depths() -> None:
    books = [Filler("a book", [f"This is sentence {n} of a book." for n in "abcdefghij"])]
    lengths = Lengths(count=40, shortest=150, longest=900)
    records = list(passkey_records(lengths, books, lambda text: len(text.split()), seed=0))
    assert len(records) == 40
    depths = [float(record["depth"]) for record in records]
    assert {0.0, 1.0} <= set(depths)
    assert sorted(depths) != depths
    sizes = [len(record["messages"][0]["content"].split()) for record in records]
    for size, wanted in zip(sizes, lengths.spread(), strict=True):
        assert wanted - 30 <= size <= wanted
    assert (lengths.spread()[0], lengths.spread()[-1]) == (150, 900)
    keys = [record["key"] for record in records]
    assert any(key.isdigit() for key in keys)
    assert any(key.isalpha() for key in keys)
    assert len({record["source"] for record in records}) == 2
    for record in records:
        question, answer = (message["content"] for message in record["messages"])
        assert record["key"] in question
        assert record["key"] in answer
        lines = question.split("\n")
        (at,) = (n for n, line in enumerate(lines) if record["key"] in line)
        if record["depth"] == "1.000":
            assert at == len(lines) - 2
        if record["depth"] == "0.000":
            assert at <= 1


def test_fillers_come_from_several_books(tmp_path: Path) -> None:
    fillers = book_fillers(save_data(tmp_path), 0, SILENT)
    assert len({filler.source for filler in fillers}) == 4
    assert all(len(filler.sentences) == 40 for filler in fillers)
