"""Plans: sizes that add up, what fits, and the ceiling on speed."""

import json
from typing import Any

import pytest

from ostro.config import PRESETS, WEIGHT_TYPES, Plan, make_plan
from ostro.errors import OstroError

BF16, Q4_K = WEIGHT_TYPES["BF16"], WEIGHT_TYPES["Q4_K"]


def plan(preset: str = "mixtral-8x7b", **changes: Any) -> Plan:
    arguments: dict[str, Any] = {
        "model": preset,
        "stored": BF16,
        "compute": BF16,
        "memory_bytes": 128 * 10**9,
        "read_bandwidth": 4.3e12,
    }
    return make_plan(PRESETS[preset], **arguments | changes)


def test_the_keys_that_others_read_are_there() -> None:
    values = plan().to_dict()
    assert values["total_parameters"] == 46_702_792_704
    assert values["active_parameters"] == 12_879_925_248
    assert values["weight_bytes"] == 93_405_585_408
    assert values["kv_bytes_per_token"] == 131_072
    assert values["fits"] is True
    assert values["decode_tokens_per_second_ceiling"] == pytest.approx(169, abs=0.5)
    assert json.loads(json.dumps(values)) == values


def test_what_is_required_is_the_sum_of_its_parts() -> None:
    p = plan(context=1000, batch=3)
    assert p.kv_bytes == 3 * 1000 * 131_072
    assert p.required_bytes == p.resident_weight_bytes + p.kv_bytes + p.workspace_bytes
    assert p.workspace_bytes > 64 << 20


def test_the_context_is_the_models_own_unless_given() -> None:
    assert plan().context == 32_768
    assert plan(context=5).context == 5


def test_a_byte_too_little_does_not_fit() -> None:
    needed = plan(context=100).required_bytes
    assert plan(context=100, memory_bytes=needed).fits
    assert not plan(context=100, memory_bytes=needed - 1).fits


def test_quantised_weights_are_small_on_disk_and_dequantised_in_memory() -> None:
    p = plan(stored=Q4_K)
    assert (p.stored_type, p.compute_type) == ("Q4_K", "BF16")
    assert p.weight_bytes < 27e9 < 93e9 < p.resident_weight_bytes
    assert p.read_bytes_per_token == 2 * 12_748_853_248


def test_known_sizes_on_disk_win_over_the_arithmetic() -> None:
    assert plan(stored=Q4_K, stored_bytes=26_441_533_376).weight_bytes == 26_441_533_376


def test_keys_and_values_may_be_kept_in_another_type() -> None:
    f32 = WEIGHT_TYPES["F32"]
    assert plan("demo", cache=f32).kv_bytes_per_token == 2 * plan("demo").kv_bytes_per_token


@pytest.mark.parametrize(("batch", "speed"), [(1, 169), (2, 203), (4, 266), (8, 409), (64, 2955)])
def test_a_batch_decodes_faster_together(batch: int, speed: float) -> None:
    p = plan(batch=batch, context=16)
    assert p.decode_tokens_per_second_ceiling == pytest.approx(speed, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": 0}, "context 0 is out of range; mixtral-8x7b reads 1 to 32768"),
        ({"context": 32_769}, "context 32769 is out of range"),
        ({"batch": 0}, "batch must be 1 or more"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OstroError, match=message):
        plan(**changes)
