"""``tokenizer.json`` and what lies beside it."""

import json
from pathlib import Path

import pytest

from ostro.errors import CheckpointError
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.messages import Message
from ostro.weights.tokenizer_files import TokenizerFiles
from ostro.weights.tokenizer_tables import write_tokenizer_json
from small_vocabulary import byte_vocabulary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tokenizer_json(tmp_path, byte_vocabulary())
    return tmp_path


def test_the_file_alone_is_enough_for_text(folder: Path) -> None:
    (folder / "tokenizer_config.json").unlink()
    tokenizer = json_tokenizer(folder)
    assert tokenizer.decode(tokenizer.encode("é <|end|> 😀")) == "é <|end|> 😀"
    assert not tokenizer.has_chat_template


def test_a_template_beside_it_is_used(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}<|end|>")
    tokenizer = json_tokenizer(folder, eos_ids=frozenset((0,)))
    ids = tokenizer.encode_chat([Message("user", "a<|end|>")])
    assert ids == [*tokenizer.encode("a<|end|>"), 0]
    assert ids.count(0) == 1


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"])
@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_damaged_files_are_named_or_harmless(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    if name == "chat_template.jinja" and data != b"\xff\xfe":
        json_tokenizer(folder)
        return
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        json_tokenizer(folder)


def test_a_vocabulary_survives_going_to_json_and_back(folder: Path) -> None:
    original = byte_vocabulary()
    back = TokenizerFiles(folder).vocabulary(None)
    assert back is not None
    assert list(back.pieces) == list(original.pieces)
    assert list(back.kinds) == list(original.kinds)
    assert back.pre_tokenizer == "gpt-2"


def test_a_pre_tokenizer_without_a_name_is_refused(folder: Path) -> None:
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text())
    values["pre_tokenizer"] = {"type": "Whitespace"}
    path.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="pre-tokenizer has no name"):
        TokenizerFiles(folder).vocabulary(None)


def _metaspace(scheme: str) -> dict:
    step = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
    vocabulary = {piece: n for n, piece in enumerate(["<unk>", "<s>", "▁", "a", "b", "▁a"])}
    model = {"type": "BPE", "vocab": vocabulary, "merges": [["▁", "a"]], "unk_token": "<unk>"}
    added = {"id": 1, "content": "<s>", "special": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [added | flags],
        "pre_tokenizer": step,
        "decoder": step,
        "model": model,
    }


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_metaspace_puts_and_drops_its_space_as_the_library_does(tmp_path: Path, scheme) -> None:
    from tokenizers import Tokenizer

    (tmp_path / "tokenizer.json").write_text(json.dumps(_metaspace(scheme)))
    library = Tokenizer.from_str(json.dumps(_metaspace(scheme)))
    tokenizer = json_tokenizer(tmp_path)
    assert tokenizer.encode("ab") == library.encode("ab").ids
    assert [1, *tokenizer.encode("ab", after_special=True)] == library.encode("<s>ab").ids
    assert (
        tokenizer.decode(tokenizer.encode("ab")) == "ab" == library.decode(tokenizer.encode("ab"))
    )
