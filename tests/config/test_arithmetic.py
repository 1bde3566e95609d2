"""Counts of the published models, exact to the last parameter."""

import pytest

from ostro.config import (
    PRESETS,
    WEIGHT_TYPES,
    Geometry,
    attention_flops_per_token,
    count_parameters,
    flops_per_token,
    kv_bytes_per_token,
    weight_bytes,
)
from ostro.config.arithmetic import matrix_groups, read_bytes

MIXTRAL = PRESETS["mixtral-8x7b"]
BF16 = WEIGHT_TYPES["BF16"]


def test_mixtral_8x7b_part_by_part() -> None:
    counts = count_parameters(MIXTRAL)
    assert counts.total == 46_702_792_704
    assert counts.active == 12_879_925_248
    assert counts.read_per_token == 12_748_853_248
    assert counts.experts == 45_097_156_608
    assert counts.router == 32 * 32_768
    assert counts.attention == 32 * 41_943_040
    assert counts.norms == 32 * 8192 + 4096
    assert counts.embedding == counts.head == 32_000 * 4096


@pytest.mark.parametrize(
    ("preset", "total", "active"),
    [
        ("mixtral-8x22b", 140_630_071_296, 39_161_468_928),
        ("mistral-7b", 7_241_732_096, 7_241_732_096),
        ("llama-2-70b", 68_976_648_192, 68_976_648_192),
        ("demo", 692_036_928, 214_279_488),
    ],
)
def test_totals_of_the_other_presets(preset: str, total: int, active: int) -> None:
    counts = count_parameters(PRESETS[preset])
    assert (counts.total, counts.active) == (total, active)


def test_the_parts_make_the_total() -> None:
    for geometry in PRESETS.values():
        c = count_parameters(geometry)
        assert c.total == c.embedding + c.attention + c.router + c.experts + c.norms + c.head


def test_a_tied_head_is_counted_once_and_read_each_token() -> None:
    counts = count_parameters(PRESETS["demo"])
    assert counts.head == 0
    assert counts.read_per_token == counts.active


def test_the_published_index_of_mixtral_gives_the_bytes_in_bf16() -> None:
    assert weight_bytes(MIXTRAL, BF16) == 93_405_585_408


def test_quantised_weights_keep_router_and_norms_in_float32() -> None:
    counts = count_parameters(MIXTRAL)
    exact = counts.router + counts.norms
    matrices = counts.total - exact
    assert weight_bytes(MIXTRAL, WEIGHT_TYPES["Q4_K"]) == matrices * 144 // 256 + exact * 4


def test_rows_that_are_no_whole_blocks_take_what_replaces_the_type() -> None:
    # The demo's rows of 576 are not whole blocks of 256, those of 1536 are.
    demo, q4 = PRESETS["demo"], WEIGHT_TYPES["Q4_K"]
    counts = count_parameters(demo)
    wide = sum(g.rows * g.columns for g in matrix_groups(demo) if g.columns == 1536)
    narrow = counts.total - counts.router - counts.norms - wide
    expected = wide * 144 // 256 + narrow * 22 // 32 + 4 * (counts.router + counts.norms)
    assert weight_bytes(demo, q4) == expected


def test_matrix_groups_hold_all_but_router_and_norms() -> None:
    for geometry in PRESETS.values():
        counts = count_parameters(geometry)
        cells = sum(group.rows * group.columns for group in matrix_groups(geometry))
        assert cells == counts.total - counts.router - counts.norms


def test_decoding_one_token_reads_the_active_weights_less_the_embedding() -> None:
    assert read_bytes(MIXTRAL, BF16) == 2 * 12_748_853_248


@pytest.mark.parametrize(("batch", "distinct"), [(1, 2.0), (2, 3.5), (4, 5.46875), (8, 7.199096)])
def test_a_batch_reads_the_experts_that_it_touches(batch: int, distinct: float) -> None:
    others = 2 * 1_474_564_096
    experts = 2 * 45_097_156_608 / 8 * distinct
    assert read_bytes(MIXTRAL, BF16, batch=batch) == pytest.approx(others + experts, rel=1e-6)


def test_a_dense_model_reads_all_of_it_whatever_the_batch() -> None:
    dense = PRESETS["mistral-7b"]
    assert read_bytes(dense, BF16, batch=16) == read_bytes(dense, BF16)


def test_keys_and_values_take_128_kib_a_token() -> None:
    assert kv_bytes_per_token(MIXTRAL) == 131_072
    assert kv_bytes_per_token(MIXTRAL, WEIGHT_TYPES["F32"]) == 262_144
    # 8 bits a number, and a float32 scale for each of 8 heads.
    assert kv_bytes_per_token(MIXTRAL, WEIGHT_TYPES["Q8_0"]) == 2 * 32 * 8 * (128 + 4)
    assert kv_bytes_per_token(PRESETS["demo"]) == 2 * 30 * 3 * 64 * 2


def test_flops_count_two_for_each_multiplied_weight() -> None:
    norms = count_parameters(MIXTRAL).norms
    assert flops_per_token(MIXTRAL) == 2 * (12_748_853_248 - norms)
    assert flops_per_token(MIXTRAL, 1024) - flops_per_token(MIXTRAL) == 4 * 1024 * 4096 * 32


def test_attention_sees_no_further_than_its_window() -> None:
    dense = PRESETS["mistral-7b"]
    assert attention_flops_per_token(dense, 4096) == attention_flops_per_token(dense, 30_000)
    assert attention_flops_per_token(dense, 4095) < attention_flops_per_token(dense, 4096)


def test_a_tiny_model_counted_by_hand() -> None:
    tiny = Geometry(
        vocab_size=10,
        dim=4,
        num_layers=1,
        num_heads=2,
        num_kv_heads=1,
        head_dim=2,
        ffn_dim=3,
        num_experts=4,
        top_k=2,
        context_length=8,
    )
    counts = count_parameters(tiny)
    assert counts.attention == 4 * 4 + 2 * (2 * 4) + 4 * 4
    assert counts.experts == 4 * 3 * (4 * 3)
    assert counts.total == 40 + 48 + 16 + 144 + 12 + 40
    assert counts.active == counts.total - 2 * 36
