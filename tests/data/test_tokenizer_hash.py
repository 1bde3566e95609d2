"""The tokenizer's hash: the same for whatever does the same, another for what does not."""

import json

import pytest

from ostro.data.tokenizer_hash import tokenizer_hash
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.vocabulary_tokenizer import vocabulary_tokenizer
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny_chat import END, TEMPLATE, save_tokenizer


def test_files_of_another_name_and_form_have_the_same_hash(tmp_path) -> None:
    save_tokenizer(tmp_path)
    from_json = json_tokenizer(tmp_path)
    # The tables as a GGUF file has them.
    vocabulary = TokenizerFiles(tmp_path).vocabulary(None)
    assert vocabulary is not None
    from_tables = vocabulary_tokenizer(vocabulary)
    assert type(from_json._codec) is not type(from_tables._codec)
    assert tokenizer_hash(from_json) == tokenizer_hash(from_tables)


def test_the_hash_stays_the_same_from_run_to_run(mistral) -> None:
    assert tokenizer_hash(mistral) == tokenizer_hash(bundled_mistral_tokenizer("v1"))
    assert tokenizer_hash(mistral) != tokenizer_hash(bundled_mistral_tokenizer("v2"))


def test_the_bytes_of_every_token_count(tmp_path) -> None:
    hashes = set()
    for piece in (b"ab", b"cd"):  # Which no text is cut into.
        save_tokenizer(tmp_path, longer=[piece])
        hashes.add(tokenizer_hash(json_tokenizer(tmp_path)))
    assert len(hashes) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"template": TEMPLATE.replace("assistant", "model")},
        {"template": None},
        {"longer": [b"ab"]},
        {"add_bos_token": False},
        {"eos_token": "<|im_end|>"},
        {"eos_ids": frozenset((END,))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_tokens_changes_the_hash(tmp_path, change) -> None:
    save_tokenizer(tmp_path)
    before = tokenizer_hash(json_tokenizer(tmp_path))
    files = {key: change[key] for key in ("template", "longer") if key in change}
    (tmp_path / "chat_template.jinja").unlink()
    save_tokenizer(tmp_path, **files)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {key: change[key] for key in ("add_bos_token", "eos_token") if key in change}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    after = json_tokenizer(tmp_path, eos_ids=change.get("eos_ids", frozenset()))
    assert tokenizer_hash(after) != before
