"""Measurements on disk: what is kept, what is refused, and what a kill leaves."""

import pytest

from ostro.errors import OstroError
from ostro.evaluation.results import Results

PROTOCOL = {"length": 512}


def _file(folder):
    (path,) = folder.glob("key/*.jsonl")
    return path


def test_units_are_found_again(tmp_path) -> None:
    results = Results(tmp_path)
    with results.open("key", "passkey", PROTOCOL) as units:
        assert "a" not in units
        units.add("a", {"right": True, "pair": (1, 2)})
        found = units["a"]
    with results.open("key", "passkey", PROTOCOL) as units:
        assert units["a"] == found == {"right": True, "pair": [1, 2]}
        assert len(units) == 1


@pytest.mark.parametrize(
    "other",
    [("other", "passkey", PROTOCOL), ("key", "tasks", PROTOCOL), ("key", "passkey", {"length": 1})],
)
def test_another_model_task_or_protocol_begins_anew(tmp_path, other) -> None:
    results = Results(tmp_path)
    with results.open("key", "passkey", PROTOCOL) as units:
        units.add("a", 1)
    with results.open(*other) as units:
        assert len(units) == 0


@pytest.mark.parametrize("torn", [b"[", b'["b", 2', b'["b", 2]'])
def test_a_unit_that_was_cut_off_is_measured_again(tmp_path, torn) -> None:
    results = Results(tmp_path)
    with results.open("key", "passkey", PROTOCOL) as units:
        units.add("a", 1)
    path = _file(tmp_path)
    path.write_bytes(path.read_bytes() + torn)
    with results.open("key", "passkey", PROTOCOL) as units:
        assert len(units) == 1
        units.add("b", 3)
    with results.open("key", "passkey", PROTOCOL) as units:
        assert (units["a"], units["b"]) == (1, 3)


def test_two_processes_do_not_measure_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("ostro.evaluation.results._LOCK_SECONDS", 0.1)
    results = Results(tmp_path)
    with (
        results.open("key", "passkey", PROTOCOL),
        pytest.raises(OstroError, match="another process"),
        results.open("key", "passkey", PROTOCOL),
    ):
        pass


def test_a_file_that_lost_its_head_is_refused(tmp_path) -> None:
    results = Results(tmp_path)
    with results.open("key", "passkey", PROTOCOL):
        pass
    _file(tmp_path).write_bytes(b"")
    with (
        pytest.raises(OstroError, match="remove it"),
        results.open("key", "passkey", PROTOCOL),
    ):
        pass
