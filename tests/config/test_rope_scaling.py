"""Rope scaling as a value: what makes no sense is refused by name."""

import math
from dataclasses import replace

import pytest

from ostro.config import PRESETS, RopeScaling
from ostro.config.rope_scaling import ntk_theta
from ostro.config.strict_tables import parse_table, to_table
from ostro.errors import OstroError

YARN = RopeScaling(kind="yarn", factor=4.0, original_context=8192)
LINEAR = RopeScaling(kind="linear", factor=2.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "dynamic"}, "kind must be 'linear' or 'yarn', not 'dynamic'"),
        ({"factor": 0.5}, "factor must be 1 to 1,000,000, not 0.5"),
        ({"factor": float("nan")}, "factor must be 1"),
        ({"factor": float("inf")}, "factor must be 1"),
        ({"factor": "4"}, "factor must be 1"),
        ({"factor": True}, "factor must be 1"),
        ({"original_context": None}, "yarn needs original_context"),
        ({"original_context": 0}, "yarn needs original_context"),
        ({"original_context": 10**400}, "yarn needs original_context"),
        ({"attention_factor": 0.0}, "attention_factor must be a number from 1e-06"),
        ({"attention_factor": float("nan")}, "attention_factor"),
        ({"beta_fast": 1e308}, "beta_fast must be a number"),
        ({"beta_slow": 1e-300}, "beta_slow must be a number"),
        ({"beta_slow": 33}, r"beta_fast \(32.0\) must not be below beta_slow \(33\)"),
        ({"truncate": 1}, "truncate must be true or false, not 1"),
        ({"kind": "linear"}, "'linear' has a factor alone and no original_context"),
        (
            {"kind": "linear", "original_context": None, "beta_slow": 2.0},
            "'linear' has a factor alone and no beta_slow",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes, message) -> None:
    with pytest.raises(OstroError, match=message):
        replace(YARN, **changes)


def test_the_magnitude() -> None:
    assert LINEAR.magnitude == 1
    assert YARN.magnitude == pytest.approx(0.1 * math.log(4) + 1)
    assert replace(YARN, factor=1).magnitude == 1
    assert replace(YARN, attention_factor=0.7).magnitude == 0.7


def test_the_base_of_ntk_slows_the_slowest_pair_by_the_factor() -> None:
    theta = ntk_theta(1e4, 4.0, 64)
    assert theta == pytest.approx(1e4 * 4 ** (64 / 62))
    slowest = 62 / 64
    assert theta**-slowest == pytest.approx(1e4**-slowest / 4)
    assert ntk_theta(1e4, 1, 64) == 1e4
    for factor in (0.9, float("nan"), 1e300):
        with pytest.raises(OstroError, match="factor must be 1 to"):
            ntk_theta(1e4, factor, 64)
    with pytest.raises(OstroError, match="heads wider than 2"):
        ntk_theta(1e4, 4.0, 2)


def test_a_geometry_knows_what_it_reads_without_scaling() -> None:
    demo = PRESETS["demo"]
    assert demo.rope_scaling is None
    assert demo.original_context == demo.context_length == 8192
    assert replace(demo, rope_scaling=YARN, context_length=32_768).original_context == 8192
    assert replace(demo, rope_scaling=LINEAR, context_length=20_480).original_context == 8192


def test_a_geometry_refuses_what_is_no_scaling() -> None:
    with pytest.raises(OstroError, match="rope_scaling must be a RopeScaling, not 'yarn:4'"):
        replace(PRESETS["demo"], rope_scaling="yarn:4")
    with pytest.raises(OstroError, match=r"yarn needs a rope_theta above 1, not 1\.0"):
        replace(PRESETS["demo"], rope_scaling=YARN, rope_theta=1.0)


def test_a_table_holds_it() -> None:
    geometry = replace(PRESETS["demo"], rope_scaling=YARN)
    table = to_table(geometry)
    assert table["rope_scaling"]["original_context"] == 8192
    assert parse_table(type(geometry), table, "here") == geometry
    with pytest.raises(OstroError, match=r"here: rope_scaling: kind must be one of"):
        parse_table(type(geometry), table | {"rope_scaling": {"kind": "ntk"}}, "here")
