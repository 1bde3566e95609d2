"""Bytes out of files, compressed or not, and lines out of bytes; nothing is held whole."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from ostro.errors import OstroError
from ostro.runtime.extras import require_extra
from ostro.runtime.progress import Advance

# Small, since a compressed chunk may become a thousand times as long.
_CHUNK_BYTES = 1 << 16
# The largest window that zstd's own program writes (--long=27 and all below).
_ZSTD_WINDOW = 1 << 27
_GZIP = 16 + zlib.MAX_WBITS


class DamagedStream(Exception):
    """A compressed stream that ends too early or isn't one; the text says which."""


class Decompressor(Protocol):
    """One member or frame of a compressed file, as ``zlib`` and ``zstandard`` read it."""

    @property
    def eof(self) -> bool:
        """Whether its end has been read."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """What ``data`` adds."""
        ...


def read_chunks(file: Path, advance: Advance) -> Iterator[bytes]:
    """The file's bytes as they are; ``advance`` is told of each chunk once it has been used."""
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                yield chunk
                advance(len(chunk))
    except OSError as error:
        raise unreadable(file, error) from error


def unreadable(file: Path, error: OSError) -> OstroError:
    """What to raise where the system won't let a file be read."""
    return OstroError(f"cannot read {file}: {error.strerror or error}")


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The contents of a gzip file of one or more members, or :class:`DamagedStream`."""
    return _decompressed(chunks, lambda: zlib.decompressobj(_GZIP), zlib.error)


def unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The contents of a zstd file of one or more frames, or :class:`DamagedStream`."""
    zstandard = require_extra("zstandard", "train")
    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return _decompressed(chunks, reader.decompressobj, zstandard.ZstdError)


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends; a last one without an end counts, unless it is empty."""
    pending: list[bytes] = []
    for chunk in chunks:
        head, *others = chunk.split(b"\n")
        pending.append(head)
        for line in others:
            yield b"".join(pending)
            pending = [line]
    last = b"".join(pending)
    if last:
        yield last


def _decompressed(
    chunks: Iterable[bytes], new: Callable[[], Decompressor], damage: type[Exception]
) -> Iterator[bytes]:
    stream: Decompressor | None = None
    for chunk in chunks:
        rest = chunk
        while rest:
            stream = new() if stream is None else stream
            try:
                yield stream.decompress(rest)
            except damage as error:
                raise DamagedStream(f"damaged compressed data ({error})") from error
            rest = stream.unused_data
            stream = None if stream.eof else stream
    if stream is not None:
        raise DamagedStream("the compressed data ends too early")
