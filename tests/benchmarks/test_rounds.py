"""Engines measured in turn: order, quiet rounds, engines that fail."""

import pytest

from quiet import Moment, busy_share
from rounds import EngineFailed, Sample, Series, alternate


def _alternate(measures, **options):
    notes: list[str] = []
    settings = {"rounds": 3, "patience": 0.0, "note": notes.append, "wait": lambda _: True}
    return alternate(measures, **{**settings, **options}), notes


def test_engines_take_turns_and_the_first_round_does_not_count() -> None:
    order = []

    def engine(name, speeds):
        speeds = iter(speeds)

        def measure() -> Sample:
            order.append(name)
            return Sample(next(speeds), 0.0)

        return measure

    series, _ = _alternate({"a": engine("a", [99, 1, 2, 3]), "b": engine("b", [99, 4, 5, 6])})
    assert order == ["a", "b"] * 4
    assert (series["a"].median(3), series["b"].median(3)) == (2, 5)


def test_disturbed_rounds_are_repeated_while_there_is_patience() -> None:
    others = iter([0.0, 0.5, 0.5, 0.0, 0.0, 0.0])
    series, _ = _alternate({"a": lambda: Sample(7.0, next(others))}, patience=1e6)
    assert len(series["a"].samples) == 5
    assert len(series["a"].quiet()) == 3


def test_without_patience_disturbed_rounds_count() -> None:
    series, _ = _alternate({"a": lambda: Sample(7.0, 0.9)})
    assert (len(series["a"].samples), series["a"].median(3)) == (3, 7.0)


def test_quiet_samples_come_first() -> None:
    series = Series([Sample(1, 0.5), Sample(10, 0.0), Sample(2, 0.2), Sample(11, 0.01)])
    assert series.median(2) == 10.5
    assert series.median(3) == 10
    assert Series().median(5) == 0


def test_an_engine_that_fails_is_told_and_left_out() -> None:
    def fails() -> Sample:
        raise EngineFailed("out of memory")

    series, notes = _alternate({"bad": fails, "good": lambda: Sample(1.0, 0.0)})
    assert list(series) == ["good"]
    assert notes == ["bad: out of memory"]


def test_the_share_of_busy_cores(tmp_path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1\n")
    before = Moment.now(stat)
    assert before == Moment(total=100, idle=80)
    assert busy_share(before, Moment(total=200, idle=130)) == pytest.approx(0.5)
    assert busy_share(before, before) == 0
    assert Moment.now(tmp_path / "none") == Moment(0, 0)
