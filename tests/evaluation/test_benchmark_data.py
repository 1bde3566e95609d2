"""Benchmark files found by name, refused when broken, and samples spread over groups."""

import gzip
import json
from collections import Counter

import pytest

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample

RECORDS = [{"question": "one", "answer": 1}, {"question": "two", "answer": 2}]


def _write(path, records):
    path.parent.mkdir(exist_ok=True)
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("name", ["quiz.jsonl", "quiz.jsonl.gz", "eval/quiz.jsonl"])
def test_a_file_is_found_by_its_name(tmp_path, name) -> None:
    _write(tmp_path / name, RECORDS)
    data = BenchmarkData(tmp_path)
    assert data.has("quiz")
    assert data.records("quiz", ["question"]) == RECORDS


def test_what_is_missing_is_named(tmp_path) -> None:
    _write(tmp_path / "quiz.jsonl", RECORDS)
    data = BenchmarkData(tmp_path)
    assert not data.has("other")
    with pytest.raises(OstroError, match=r"has no other\.jsonl"):
        data.records("other")
    with pytest.raises(OstroError, match=r"quiz\.jsonl:1: a record of quiz needs 'label'"):
        data.records("quiz", ["answer", "label"])
    with pytest.raises(OstroError, match="no such folder"):
        BenchmarkData(tmp_path / "nowhere")


def test_a_broken_line_is_refused(tmp_path) -> None:
    (tmp_path / "quiz.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(OstroError, match=r"quiz\.jsonl:2: not JSON"):
        BenchmarkData(tmp_path).records("quiz")


def test_a_sample_is_spread_over_groups() -> None:
    groups = ["a"] * 50 + ["b"] * 50 + ["c"] * 2
    for limit in (1, 3, 10, 50, 101):
        numbers = spread_sample(groups, limit, 0)
        assert len(set(numbers)) == limit
        assert numbers == sorted(numbers)
        shares = Counter(groups[number] for number in numbers)
        assert abs(shares["a"] - shares["b"]) <= 1
        assert shares["c"] == 2 or shares["a"] - shares["c"] <= 1


def test_a_sample_is_drawn_by_its_seed() -> None:
    groups = ["a", "b"] * 50
    assert spread_sample(groups, 10, 0) == spread_sample(groups, 10, 0)
    assert spread_sample(groups, 10, 0) != spread_sample(groups, 10, 1)
    assert spread_sample(groups, None, 0) == spread_sample(groups, 200, 0) == list(range(100))
