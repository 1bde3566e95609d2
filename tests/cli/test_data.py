"""``ostro data``: records into tokens, a tokenizer, and a look at both."""

import json
from pathlib import Path

import pytest

from ostro.data.dataset import open_dataset
from tiny_chat import save_babbler, save_tokenizer

CHATS = [
    {"messages": [{"role": "user", "content": f"Q{n}"}, {"role": "assistant", "content": f"A{n}"}]}
    for n in range(40)
]


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A file with forty conversations and a broken line."""
    lines = [json.dumps(chat) for chat in CHATS]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join([lines[0], "{", *lines[1:]]) + "\n")
    return path


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A folder with nothing but a tokenizer."""
    (tmp_path / "tokenizer").mkdir()
    save_tokenizer(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def test_prepare_writes_data_sets_and_tells_what_is_in_them(
    run, chats, tokenizer, tmp_path
) -> None:
    out = tmp_path / "out"
    arguments = ("--kind", "conversations", "--tokenizer", tokenizer, "--validation", 0.2)
    ran = run("data", "prepare", chats, "--out", out, *arguments)
    assert ran.code == 0
    train, validation = (open_dataset(out / name) for name in ("train", "validation"))
    assert len(train) + len(validation) == 40
    assert ran.out.splitlines()[0] == (
        f"{out}/train       {len(train)} sequences, {train.num_tokens:,} tokens,"
        f" {train.manifest.learned_tokens} of them learned"
    )
    assert "records that can't be used: 1; the first of them:\n  chats.jsonl:2: not JSON" in ran.err


def test_prepare_tells_the_same_as_json(run, chats, tokenizer, tmp_path) -> None:
    arguments = ("--out", tmp_path / "out", "--kind", "conversations", "--tokenizer", tokenizer)
    report = json.loads(run("data", "prepare", chats, *arguments, "--json").out)
    assert report["train"]["sequences"] == 40
    assert report["broken"]["count"] == 1
    assert report["broken"]["first"][0]["place"] == "chats.jsonl:2"


def test_a_models_own_tokenizer_is_used_by_its_folder_or_its_file(run, chats, tmp_path) -> None:
    save_babbler(tmp_path / "model")
    run("convert", tmp_path / "model", tmp_path / "model.gguf", "--to", "gguf")
    prints = []
    for name in ("model", "model.gguf"):
        arguments = ("--kind", "conversations", "--tokenizer", tmp_path / name)
        ran = run("data", "prepare", chats, "--out", tmp_path / f"of-{name}", *arguments)
        assert ran.code == 0
        prints.append(open_dataset(tmp_path / f"of-{name}" / "train").fingerprint)
    assert prints[0] == prints[1]


def test_show_tells_the_manifest_and_marks_what_is_learned(run, chats, tokenizer, tmp_path) -> None:
    arguments = ("--out", tmp_path / "out", "--kind", "conversations", "--tokenizer", tokenizer)
    run("data", "prepare", chats, *arguments)
    folder = tmp_path / "out" / "train"
    ran = run("data", "show", folder, "--sample", 2, "--tokenizer", tokenizer)
    assert ran.code == 0
    assert "kind         conversations\n" in ran.out
    assert open_dataset(folder).fingerprint in ran.out
    samples = ran.out.split("\n--- ")[1:]
    assert len(samples) == 2
    assert samples[1].partition("\n")[2] == (
        "<s><|im_start|>user\nQ1<|im_end|>\n<|im_start|>assistant\n\u27e6A1</s>\u27e7\n"
    )
    report = json.loads(run("data", "show", folder, "--json").out)
    assert (report["sequences"], report["broken"], report["samples"]) == (40, 1, [])


def test_show_refuses_another_tokenizer(run, chats, tokenizer, tmp_path) -> None:
    arguments = ("--out", tmp_path / "out", "--kind", "conversations", "--tokenizer", tokenizer)
    run("data", "prepare", chats, *arguments)
    (tmp_path / "other").mkdir()
    save_tokenizer(tmp_path / "other", longer=[b"ab"])
    folder = tmp_path / "out" / "train"
    ran = run("data", "show", folder, "--sample", 1, "--tokenizer", tmp_path / "other")
    assert (ran.code, ran.out) == (2, "")
    assert "was made with another tokenizer than that of" in ran.err
    ran = run("data", "show", folder, "--sample", 1)
    assert (ran.code, ran.out) == (2, "")
    assert "--sample needs --tokenizer" in ran.err


def test_a_tokenizer_is_trained_and_then_used(run, tmp_path) -> None:
    text = "the rivers and their banks, the river bank and other rivers. " * 20
    (tmp_path / "a.txt").write_text(text)
    new = tmp_path / "new"
    ran = run("data", "tokenizer", tmp_path / "a.txt", "--out", new, "--vocab-size", 280)
    assert (ran.code, ran.out) == (0, f"{new}: 280 pieces\n")
    arguments = ("--out", tmp_path / "out", "--kind", "documents", "--tokenizer", new)
    assert run("data", "prepare", tmp_path / "a.txt", *arguments).code == 0
    dataset = open_dataset(tmp_path / "out" / "train")
    assert (len(dataset), dataset.vocab_size) == (1, 280)
    assert dataset.num_tokens < len(text)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--kind", "poems", "--tokenizer", "tokenizer"), "unknown kind 'poems'"),
        (("--kind", "documents", "--tokenizer", "nowhere"), "no model 'nowhere'"),
        (("--kind", "documents", "--tokenizer", "empty"), "empty"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    run, chats, tokenizer, tmp_path, monkeypatch, arguments, complaint
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    ran = run("data", "prepare", chats, "--out", "out", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
