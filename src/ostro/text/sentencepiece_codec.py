"""SentencePiece from a vocabulary's tables: the library's own model, put together in memory.

A weight file carries pieces, scores and kinds. Together with the few settings below they are a
SentencePiece model, whose file format is a protocol buffer with four kinds of field; written out
here, the library itself then tokenises, and nothing has to be imitated.
"""

import struct
from collections.abc import Sequence
from typing import Any

from ostro.errors import OstroError
from ostro.text.pieces import sentencepiece_bytes
from ostro.text.vocabulary import PieceKind, Vocabulary

_BPE = 2


class SentencePieceCodec:
    """Plain text to pieces and back."""

    def __init__(
        self, processor: Any, pieces: Sequence[str], *, adds_space_prefix: bool = True
    ) -> None:
        self._processor, self.pieces = processor, pieces
        self.drops_first_space = adds_space_prefix

    def encode(self, text: str, *, after_special: bool) -> list[int]:
        """Token ids; as in Mistral's own tokenizer every text gets its space in front."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of an ordinary token."""
        return sentencepiece_bytes(self.pieces[token_id])


def sentencepiece_codec(vocabulary: Vocabulary) -> SentencePieceCodec:
    """The codec of a SentencePiece vocabulary; damaged tables are an error."""
    from sentencepiece import SentencePieceProcessor

    v = vocabulary
    if not len(v.pieces) == len(v.scores) == len(v.kinds):
        raise OstroError(
            f"the vocabulary has {len(v.pieces)} pieces, {len(v.scores)} scores and "
            f"{len(v.kinds)} kinds"
        )
    try:
        processor = SentencePieceProcessor(model_proto=sentencepiece_model(v))
    except (RuntimeError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise OstroError(f"the vocabulary is not a SentencePiece model: {reason}") from error
    return SentencePieceCodec(processor, v.pieces, adds_space_prefix=v.adds_space_prefix)


def sentencepiece_model(vocabulary: Vocabulary) -> bytes:
    """The vocabulary as a SentencePiece file; fields by their numbers in its .proto."""
    v = vocabulary
    unknown = v.unknown_id if v.unknown_id is not None else 0
    bos = -1 if v.bos_id is None else v.bos_id
    eos = min(v.eos_ids, default=-1)
    has_bytes = PieceKind.BYTE in v.kinds
    trainer = b"".join(
        (
            _number(3, _BPE),
            _number(35, int(has_bytes)),
            _number(40, unknown),
            _number(41, bos),
            _number(42, eos),
            _number(43, -1),
        )
    )
    normaliser = b"".join(
        (_bytes(1, b"identity"), _number(3, int(v.adds_space_prefix)), _number(4, 0), _number(5, 1))
    )
    pieces = (
        _bytes(1, _bytes(1, p.encode("utf-8", "replace")) + _float(2, s) + _number(3, k))
        for p, s, k in zip(v.pieces, v.scores, v.kinds, strict=True)
    )
    return b"".join((*pieces, _bytes(2, trainer), _bytes(3, normaliser)))


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
