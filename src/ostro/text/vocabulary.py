"""A tokenizer's tables, as a weight file carries them, free of that file's own names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal


class PieceKind(IntEnum):
    """What a piece is; the numbers are SentencePiece's."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Everything needed to build a tokenizer.

    ``model`` is ``"bpe"`` (byte-level, with ``merges`` and a named ``pre_tokenizer``) or
    ``"sentencepiece"`` (with ``scores``).
    """

    model: Literal["bpe", "sentencepiece"]
    pieces: Sequence[str]
    kinds: Sequence[int] = ()
    merges: Sequence[str] = ()
    scores: Sequence[float] = ()
    pre_tokenizer: str = "default"
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()
    unknown_id: int | None = None
    adds_bos: bool = False
    adds_space_prefix: bool = True
    chat_template: str | None = None
    special_names: Mapping[str, str] = field(default_factory=dict)
    """Names that a template may use, such as ``bos_token``, and the pieces they stand for."""
