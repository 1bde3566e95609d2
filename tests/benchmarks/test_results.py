"""The form that all benchmarks share."""

import json

from results import Result, as_table, compare, print_results

FIELDS = ["name", "ostro", "peer", "peer_name", "ratio", "goal", "unit"]


def _result(**changes: object) -> Result:
    values = {"ostro": 30.0, "peer": 20.0, "peer_name": "ik", "goal": 1.25, "unit": "tok/s"}
    return compare("demo-decode", **{**values, **changes})


def test_json_is_one_list_and_the_heading_goes_elsewhere(capsys) -> None:
    print_results("a machine", [_result(), _result(ostro=1 / 3)], json_wanted=True)
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert list(first) == FIELDS
    assert first["ratio"] == 1.5
    assert second["ostro"] == 0.3333
    assert printed.err == "a machine\n"


def test_a_person_gets_a_heading_and_a_verdict(capsys) -> None:
    print_results("a machine", [_result(), _result(goal=2.0)], json_wanted=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a machine"
    assert "reached" in lines[2]
    assert "missed" in lines[3]


def test_a_goal_is_a_ratio() -> None:
    assert _result(goal=1.5).reached
    assert not _result(goal=1.51).reached
    times = _result(ostro=20.0, peer=30.0, smaller_is_better=True)
    assert times.ratio == 1.5


def test_a_side_that_measured_nothing_has_no_ratio() -> None:
    assert _result(peer=0.0).ratio == 0
    assert _result(ostro=0.0).ratio == 0
    assert _result(ostro=0.0, smaller_is_better=True).ratio == 0


def test_a_table_has_equal_columns() -> None:
    head, row = as_table([_result()]).splitlines()
    assert head.index("against") == row.index("ik")
