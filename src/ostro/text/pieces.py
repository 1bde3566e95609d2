"""The bytes that a piece of a vocabulary stands for."""

import re
from collections.abc import Iterable

SPACE_SYMBOL = "\u2581"
"""What SentencePiece writes for a space."""

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _byte_of_char() -> dict[str, int]:
    """Byte-level alphabets show printable Latin-1 as itself, other bytes from U+0100 on."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in shown]
    own = {chr(byte): byte for byte in shown}
    return own | {chr(0x100 + offset): byte for offset, byte in enumerate(hidden)}


_BYTE_OF_CHAR = _byte_of_char()


def byte_level_bytes(piece: str) -> bytes:
    """Bytes of a byte-level piece; one with other characters is an added token: plain text."""
    values = [_BYTE_OF_CHAR.get(char) for char in piece]
    known = [value for value in values if value is not None]
    return bytes(known) if len(known) == len(values) else piece.encode("utf-8", "replace")


def sentencepiece_bytes(piece: str) -> bytes:
    """Bytes of a SentencePiece piece: ``<0x0A>`` is one byte, U+2581 a space."""
    match = _BYTE_PIECE.fullmatch(piece)
    if match:
        return bytes.fromhex(match[1])
    return piece.replace(SPACE_SYMBOL, " ").encode("utf-8", "replace")


def join_text(parts: Iterable[bytes], *, drops_first_space: bool) -> str:
    """The text of a sequence of tokens; broken UTF-8 becomes U+FFFD."""
    data = b"".join(parts)
    if drops_first_space:
        data = data.removeprefix(b" ")
    return data.decode("utf-8", "replace")
