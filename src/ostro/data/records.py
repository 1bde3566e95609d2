"""Records out of files, one at a time. What can't be read is reported and passed over."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.data.broken import Broken
from ostro.data.sources import ending
from ostro.data.streams import DamagedStream, gunzip, read_chunks, split_lines, unreadable, unzstd
from ostro.errors import OstroError
from ostro.runtime.extras import require_extra
from ostro.runtime.progress import Advance

# An editor may have put a mark before the first character.
_UTF8 = "utf-8-sig"
_PARQUET_ROWS = 1024


@dataclass(frozen=True)
class Record:
    """A table of values, and where it stands."""

    place: str
    """A file's name and the line or row, counted from 1: ``chats.jsonl:12``."""
    values: dict[str, Any]


def read_records(files: Sequence[Path], broken: Broken, advance: Advance) -> Iterator[Record]:
    """The records of all files, in order.

    ``advance`` is called with the bytes done of the files as they lie on disk. A line that is no
    JSON object in UTF-8, and a stream that ends too early, go to ``broken``. A file that can't be
    opened is an OstroError.
    """
    for file in files:
        kind = ending(file)
        if kind == ".parquet":
            yield from _parquet_rows(file, broken, advance)
        elif kind == ".txt":
            yield from _whole_text(file, broken, advance)
        else:
            chunks = read_chunks(file, advance)
            if kind != ".jsonl":
                chunks = gunzip(chunks) if kind == ".jsonl.gz" else unzstd(chunks)
            yield from _json_lines(file.name, split_lines(chunks), broken)


def _json_lines(name: str, lines: Iterable[bytes], broken: Broken) -> Iterator[Record]:
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                values = _json_object(line)
            except OstroError as error:
                broken.add(f"{name}:{number}", str(error))
            else:
                yield Record(f"{name}:{number}", values)
    except DamagedStream as error:
        broken.add(f"{name}:{number + 1}", str(error))


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line.decode(_UTF8))
    except UnicodeDecodeError as error:
        raise OstroError(f"not UTF-8 (byte {error.start})") from None
    except (ValueError, RecursionError) as error:
        raise OstroError(f"not JSON ({error})") from None
    if not isinstance(values, dict):
        raise OstroError("not a JSON object")
    return values


def _whole_text(file: Path, broken: Broken, advance: Advance) -> Iterator[Record]:
    data = b"".join(read_chunks(file, advance))
    try:
        yield Record(file.name, {"text": data.decode(_UTF8)})
    except UnicodeDecodeError as error:
        broken.add(file.name, f"not UTF-8 (byte {error.start})")


def _parquet_rows(file: Path, broken: Broken, advance: Advance) -> Iterator[Record]:
    pyarrow = require_extra("pyarrow", "train")
    number = 0
    try:
        for values in _parquet_values(file, advance):
            number += 1
            yield Record(f"{file.name}:{number}", values)
    except pyarrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        broken.add(f"{file.name}:{number + 1}", f"damaged Parquet ({reason})")
    except OSError as error:
        raise unreadable(file, error) from error


def _parquet_values(file: Path, advance: Advance) -> Iterator[dict[str, Any]]:
    """All rows. The file is read in no order that bytes could be counted by, so rows are."""
    parquet = require_extra("pyarrow.parquet", "train")
    with file.open("rb") as opened, parquet.ParquetFile(opened) as table:
        size, rows, done = file.stat().st_size, table.metadata.num_rows, 0
        for batch in table.iter_batches(_PARQUET_ROWS):
            yield from batch.to_pylist()
            before, done = done, done + batch.num_rows
            advance(size * done // rows - size * before // rows)
