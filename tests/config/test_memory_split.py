"""How a cap on memory is split."""

from dataclasses import replace

import pytest

from ostro.config import PRESETS, WEIGHT_TYPES, weight_bytes
from ostro.config.memory_split import MemorySplit, split_memory

GIB = 1 << 30
MIXTRAL, Q3 = PRESETS["mixtral-8x7b"], WEIGHT_TYPES["Q3_K"]


def split(cap: int) -> MemorySplit:
    return split_memory(
        MIXTRAL,
        Q3,
        cap_bytes=cap,
        process_bytes=GIB // 2,
        workspace_bytes=GIB // 4,
        kv_bytes=GIB // 4,
    )


def test_the_parts_are_the_whole() -> None:
    found = split(8 * GIB)
    assert found.num_experts == 256
    assert found.expert_bytes == 3 * 4096 * 14336 // 256 * Q3.block_bytes
    assert found.shared_weight_bytes + 256 * found.expert_bytes == weight_bytes(MIXTRAL, Q3)
    used = GIB + found.shared_weight_bytes + found.pool_bytes
    assert 8 * GIB - found.expert_bytes < used <= 8 * GIB


def test_the_smallest_cap_holds_one_layer() -> None:
    least = split(8 * GIB).smallest_cap
    assert split(least).slots == 8
    assert split(least).fits
    assert not split(least - 1).fits


def test_with_enough_memory_nothing_is_read_from_disk() -> None:
    found = split(24 * GIB)
    assert found.holds_all
    assert found.read_bytes_per_token == 0


def test_a_token_reads_the_share_that_is_missing() -> None:
    found = replace(split(8 * GIB), num_experts=2 * split(8 * GIB).slots)
    assert found.read_bytes_per_token == pytest.approx(0.5 * 64 * found.expert_bytes)
