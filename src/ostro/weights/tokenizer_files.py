"""The tokenizer beside the weights: found, copied, or carried from one layout to another."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.text.vocabulary import Vocabulary

# Copied as they are between folders.
_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "tokenizer.model",
    "tokenizer.model.v1",
    "tokenizer.model.v2",
    "tokenizer.model.v3",
    "tokenizer.model.v7",
    "tekken.json",
)


@dataclass(frozen=True)
class TokenizerFiles:
    """The tokenizer files of a model's folder; none for a single weight file."""

    folder: Path | None

    @classmethod
    def beside(cls, path: Path) -> "TokenizerFiles":
        """Those of a checkpoint opened from ``path``."""
        return cls(path if path.is_dir() else None)

    def present(self) -> list[Path]:
        """The files that are there."""
        if self.folder is None:
            return []
        return [self.folder / name for name in _FILES if (self.folder / name).is_file()]

    def special_ids(self) -> dict[str, Any]:
        """``bos_token_id`` and ``eos_token_id`` as the folder's configuration gives them."""
        found: dict[str, Any] = {}
        for name in ("config.json", "generation_config.json"):
            path = None if self.folder is None else self.folder / name
            if path is not None and path.is_file():
                values = json.loads(path.read_text(encoding="utf-8"))
                found |= {k: values[k] for k in ("bos_token_id", "eos_token_id") if k in values}
        return found

    def vocabulary(self, own: Vocabulary | None) -> Vocabulary | None:
        """The vocabulary for a GGUF file: the weights' own, or one read from the folder."""
        return own

    def write(self, folder: Path, own: Vocabulary | None) -> None:
        """Put the tokenizer into a new folder."""
        for path in self.present():
            shutil.copyfile(path, folder / path.name)
