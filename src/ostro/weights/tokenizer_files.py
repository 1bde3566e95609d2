"""The tokenizer beside the weights: which one it is, and carrying it from layout to layout."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.runtime.json_files import read_table
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.mistral import (
    Version,
    bundled_mistral_tokenizer,
    bundled_path,
    bundled_pieces,
    mistral_tokenizer,
)
from ostro.text.tokenizer import Tokenizer
from ostro.text.vocabulary import Vocabulary
from ostro.text.vocabulary_tokenizer import vocabulary_tokenizer
from ostro.weights.tokenizer_tables import (
    read_sentencepiece,
    read_tokenizer_json,
    write_tokenizer_json,
    write_tokenizer_model,
)

# Mistral's own files, newest first; the names with a version say whose they are.
_VERSIONED = (
    "tekken.json",
    "tokenizer.model.v7",
    "tokenizer.model.v3",
    "tokenizer.model.v2",
    "tokenizer.model.v1",
)
_MODEL = "tokenizer.model"
# Copied as they are between folders.
_COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    _MODEL,
    *_VERSIONED,
)
_BUNDLED: tuple[Version, ...] = ("v3", "v2", "v1")
_BUNDLED_SIZES = (32_000, 32_768)


@dataclass(frozen=True)
class TokenizerFiles:
    """The tokenizer files of a model's folder; none for a single weight file."""

    folder: Path | None

    @classmethod
    def beside(cls, path: Path) -> "TokenizerFiles":
        """Those of a checkpoint opened from ``path``."""
        return cls(path if path.is_dir() else None)

    def tokenizer(self, own: Vocabulary | None) -> Tokenizer | None:
        """The model's tokenizer, or None; ``own`` is the vocabulary inside a weight file.

        Mistral's pieces with Mistral's template, in whatever file, mean mistral-common's tokenizer:
        converted templates differ from it in small ways.
        """
        if own is not None:
            version = _mistral_version(own.pieces, own.chat_template)
            return bundled_mistral_tokenizer(version) if version else vocabulary_tokenizer(own)
        if self.folder is None:
            return None
        versioned = self._first(_VERSIONED)
        if (self.folder / "params.json").is_file() and not self._has("config.json"):
            path = versioned or self._first((_MODEL,))
            return mistral_tokenizer(path) if path else None
        if self._has("tokenizer.json"):
            return self._json()
        if versioned is not None:
            return mistral_tokenizer(versioned)
        if self._has(_MODEL):
            return self.__class__(None).tokenizer(self._sentencepiece(self.folder / _MODEL))
        return None

    def special_ids(self) -> dict[str, Any]:
        """``bos_token_id`` and ``eos_token_id`` as the folder's configuration gives them."""
        found: dict[str, Any] = {}
        for name in ("config.json", "generation_config.json"):
            if self.folder is not None and self._has(name):
                values = read_table(self.folder / name)
                for key in ("bos_token_id", "eos_token_id"):
                    if values.get(key) is not None:
                        found[key] = values[key]
        return found

    def vocabulary(self, own: Vocabulary | None) -> Vocabulary | None:
        """The vocabulary for a GGUF file: the weights' own, or one read from the folder."""
        if own is not None or self.folder is None:
            return own
        model = self._first((_MODEL, *_VERSIONED[1:]))
        if model is not None:
            return self._sentencepiece(model)
        if self._has("tokenizer.json"):
            return read_tokenizer_json(self.folder, self._config(), self._eos_ids())
        return None

    def write(self, folder: Path, own: Vocabulary | None) -> None:
        """Put the tokenizer into a new folder."""
        if own is None:
            for name in _COPIED if self.folder is not None else ():
                if self._has(name):
                    assert self.folder is not None
                    shutil.copyfile(self.folder / name, folder / name)
            return
        version = _mistral_version(own.pieces, own.chat_template)
        if version is not None:
            shutil.copyfile(bundled_path(version), folder / f"{_MODEL}.{version}")
        if own.model == "bpe":
            write_tokenizer_json(folder, own)
        elif version is None:
            write_tokenizer_model(folder, own)

    def _has(self, name: str) -> bool:
        return self.folder is not None and (self.folder / name).is_file()

    def _first(self, names: Sequence[str]) -> Path | None:
        assert self.folder is not None
        return next((self.folder / name for name in names if self._has(name)), None)

    def _config(self) -> dict[str, Any]:
        assert self.folder is not None
        return read_table(self.folder / "tokenizer_config.json", missing_is_empty=True)

    def _eos_ids(self) -> frozenset[int]:
        value = self.special_ids().get("eos_token_id")
        values = value if isinstance(value, list) else [value]
        return frozenset(number for number in values if type(number) is int)

    def _json(self) -> Tokenizer:
        assert self.folder is not None
        tokenizer = json_tokenizer(self.folder, eos_ids=self._eos_ids())
        if tokenizer.has_chat_template and tokenizer.vocab_size in _BUNDLED_SIZES:
            version = _mistral_version(tokenizer.pieces, tokenizer.template_source)
            if version is not None:
                return bundled_mistral_tokenizer(version)
        return tokenizer

    def _sentencepiece(self, path: Path) -> Vocabulary:
        config = self._config()
        template = config.get("chat_template")
        return read_sentencepiece(path, template if isinstance(template, str) else None)


def _mistral_version(pieces: Sequence[str], template: str | None) -> Version | None:
    """The bundled tokenizer with just these pieces, where the template is Mistral's (or absent)."""
    if len(pieces) not in _BUNDLED_SIZES or not (template is None or "[INST]" in template):
        return None
    return next((v for v in _BUNDLED if bundled_pieces(v) == list(pieces)), None)
