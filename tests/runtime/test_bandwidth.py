"""The bandwidth probe's cache; the probe itself is replaced where it is not what is tested."""

import json
from pathlib import Path

import pytest
import torch

from ostro.runtime import bandwidth
from ostro.runtime.bandwidth import probe_bandwidth, read_bandwidth


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The thread counts that were measured."""
    calls: list[int] = []

    def probe(threads: int) -> float:
        calls.append(threads)
        return 1e9 * threads

    monkeypatch.setattr(bandwidth, "probe_bandwidth", probe)
    return calls


def test_a_machine_is_measured_once_for_each_number_of_threads(
    tmp_path: Path, probed: list[int]
) -> None:
    for threads in (2, 2, 4, 2, 4):
        assert read_bandwidth(tmp_path, threads) == 1e9 * threads
    assert probed == [2, 4]


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", '"x"', "null", '{"KEY": "fast"}', '{"KEY": {}}', "\ufffd\x00"]
)
def test_a_damaged_cache_is_measured_again_and_mended(
    tmp_path: Path, probed: list[int], text: str
) -> None:
    read_bandwidth(tmp_path, 2)
    cache = tmp_path / "machine.json"
    (key,) = json.loads(cache.read_text())
    cache.write_text(text.replace("KEY", key))
    assert read_bandwidth(tmp_path, 2) == 2e9
    assert json.loads(cache.read_text()) == {key: 2e9}
    assert probed == [2, 2]


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
def test_a_speed_that_cannot_be_is_measured_again(
    tmp_path: Path, probed: list[int], value: str
) -> None:
    read_bandwidth(tmp_path, 2)
    cache = tmp_path / "machine.json"
    cache.write_text(cache.read_text().replace("2000000000.0", value))
    assert read_bandwidth(tmp_path, 2) == 2e9
    assert probed == [2, 2]


def test_a_home_that_cannot_be_written_is_no_hindrance(tmp_path: Path, probed: list[int]) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    assert read_bandwidth(tmp_path / "home", 2) == 2e9


def test_the_probe_measures_and_leaves_the_threads_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bandwidth, "_PROBE_BYTES", 8 << 20)
    monkeypatch.setattr(bandwidth, "_PROBE_SECONDS", 0.02)
    before = torch.get_num_threads()
    assert 1e8 < probe_bandwidth(1) < 1e13
    assert torch.get_num_threads() == before
