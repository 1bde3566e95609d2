"""Every format gives the same records, and what is damaged is located, counted and passed over."""

import gzip
import json
import random
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from ostro.data.broken import Broken, BrokenRecord
from ostro.data.records import read_records
from ostro.data.sources import find_files
from ostro.errors import OstroError

RECORDS = [{"text": f"text {n} é", "n": n} for n in range(3000)]
LINES = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS).encode()


def read(*files: Path) -> tuple[list[tuple[str, dict]], Broken, int]:
    """Places and values, what was broken, and the bytes that progress was told of."""
    broken, done = Broken(), []
    records = [(r.place, r.values) for r in read_records(find_files(files), broken, done.append)]
    return records, broken, sum(done)


def write_gz(path: Path) -> None:
    half = LINES.index(b"\n", len(LINES) // 2)  # Two members, as a parallel compressor writes them.
    path.write_bytes(gzip.compress(LINES[:half]) + gzip.compress(LINES[half:]))


def write_zst(path: Path) -> None:
    compressor = zstandard.ZstdCompressor()
    half = len(LINES) // 2  # Two frames, and a line in both.
    path.write_bytes(compressor.compress(LINES[:half]) + compressor.compress(LINES[half:]))


def write_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(RECORDS), path, row_group_size=700)


FORMATS = {
    "a.jsonl": lambda path: path.write_bytes(LINES),
    "a.jsonl.gz": write_gz,
    "a.jsonl.zst": write_zst,
    "a.parquet": write_parquet,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_records(tmp_path, name) -> None:
    FORMATS[name](tmp_path / name)
    records, broken, done = read(tmp_path / name)
    assert records == [(f"{name}:{n}", record) for n, record in enumerate(RECORDS, start=1)]
    assert broken.count == 0
    assert done == (tmp_path / name).stat().st_size


def test_a_text_file_is_one_document_as_it_stands(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffÀ\r\n\r\nb\n".encode())
    records, _, done = read(tmp_path / "a.txt")
    assert records == [("a.txt", {"text": "À\r\n\r\nb\n"})]
    assert done == 11


def test_the_largest_window_of_zstd_is_read(tmp_path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    data = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(data.compress(LINES) + data.flush())
    assert zstandard.get_frame_parameters(path.read_bytes()).window_size == 1 << 27
    assert len(read(path)[0]) == len(RECORDS)


def test_a_folder_stands_for_its_files_in_order(tmp_path) -> None:
    for name in ("b.jsonl", "a.txt", "c.jsonl"):
        (tmp_path / name).write_text('{"x": 1}\n')
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "inner").mkdir()
    assert [place for place, _ in read(tmp_path)[0]] == ["a.txt", "b.jsonl:1", "c.jsonl:1"]


def test_broken_lines_are_located_and_the_others_read(tmp_path) -> None:
    lines = [b'{"a": 1}', b"{", b"", b"[1]", b'{"a": "\xff"}', b'{"a": ' + b"[" * 100_000, b"{}"]
    (tmp_path / "a.jsonl").write_bytes(b"\r\n".join(lines))
    records, broken, _ = read(tmp_path / "a.jsonl")
    assert records == [("a.jsonl:1", {"a": 1}), ("a.jsonl:7", {})]
    assert broken.count == 4
    assert [one.place for one in broken.first] == [f"a.jsonl:{n}" for n in (2, 4, 5, 6)]
    reasons = [one.reason for one in broken.first]
    assert reasons[0].startswith("not JSON (")
    assert reasons[1:3] == ["not a JSON object", "not UTF-8 (byte 7)"]


def test_all_broken_lines_are_counted_and_few_are_kept(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text("x\n" * 100)
    broken = read(tmp_path / "a.jsonl")[1]
    assert (broken.count, len(broken.first)) == (100, 5)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_stream_that_ends_too_early_gives_what_is_whole(tmp_path, name) -> None:
    # What does not compress, so that the middle of the file is that of the lines.
    noise = random.Random(0)
    lines = [json.dumps({"x": noise.getrandbits(400)}) for _ in range(5000)]
    data = "\n".join(lines).encode()
    packed = gzip.compress(data) if name.endswith("gz") else zstandard.compress(data)
    (tmp_path / name).write_bytes(packed[: len(packed) // 2])
    records, broken, _ = read(tmp_path / name)
    assert 1000 < len(records) < 4000
    assert [json.dumps(values) for _, values in records] == lines[: len(records)]
    place = f"{name}:{len(records) + 1}"
    assert broken.first == [BrokenRecord(place, "the compressed data ends too early")]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_what_is_not_compressed_at_all_is_one_broken_record(tmp_path, name) -> None:
    (tmp_path / name).write_bytes(LINES)
    (tmp_path / "b.jsonl").write_text("{}")
    records, broken, _ = read(tmp_path)
    assert [place for place, _ in records] == ["b.jsonl:1"]
    (found,) = broken.first
    assert found.place == f"{name}:1"
    assert found.reason.startswith("damaged ")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("absent.jsonl", "absent.jsonl does not exist"),
        ("table.csv", r"table.csv: records are read from \.jsonl"),
        ("empty", "empty holds no file that ends in"),
    ],
)
def test_what_can_not_be_a_source_is_refused(tmp_path, name, complaint) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OstroError, match=complaint):
        find_files([tmp_path / name])


@pytest.mark.parametrize(
    ("name", "package"), [("a.jsonl.zst", "zstandard"), ("a.parquet", "pyarrow")]
)
def test_a_missing_package_is_named_before_anything_is_read(
    tmp_path, monkeypatch, name, package
) -> None:
    (tmp_path / name).write_bytes(b"")
    error = ModuleNotFoundError(name=package)

    def absent(name: str) -> None:
        raise error

    monkeypatch.setattr("ostro.runtime.extras.import_module", absent)
    with pytest.raises(OstroError, match=rf"{package}.*`make train-deps`.*ostro\[train\]"):
        find_files([tmp_path / name])
