"""``ostro plan``: exact numbers, as a table and as JSON."""

import json

import pytest

from ostro.config import Plan
from tiny import save_tiny
from tiny_chat import save_speller

GIB = 1 << 30
BESIDES = ("split", "expected_tokens_per_second")


@pytest.fixture
def plan(run):
    def plan_of(*arguments: object) -> dict:
        ran = run("plan", *arguments, "--json")
        assert (ran.code, ran.err) == (0, "")
        document = json.loads(ran.out)
        assert list(document) == [*Plan.__dataclass_fields__, *BESIDES]
        return document

    return plan_of


def test_mixtral_8x7b_is_planned_exactly(plan) -> None:
    found = plan("mixtral-8x7b", "--memory", "24G")
    expected = {
        "model": "mixtral-8x7b",
        "total_parameters": 46_702_792_704,
        "active_parameters": 12_879_925_248,
        "read_parameters_per_token": 12_748_853_248,
        "stored_type": "BF16",
        "compute_type": "BF16",
        "weight_bytes": 93_405_585_408,
        "read_bytes_per_token": 25_497_706_496,
        "context": 32_768,
        "batch": 1,
        "kv_bytes_per_token": 131_072,
        "kv_bytes": 4 * GIB,
        "fits": False,
        "read_bandwidth": 10e9,
    }
    assert {key: found[key] for key in expected} == expected
    ceiling = 10e9 / found["read_bytes_per_token"]
    assert found["decode_tokens_per_second_ceiling"] == pytest.approx(ceiling)
    parts = found["resident_weight_bytes"] + found["kv_bytes"] + found["workspace_bytes"]
    assert found["required_bytes"] == parts


@pytest.mark.parametrize(
    ("preset", "total", "active", "kv"),
    [
        ("mixtral-8x22b", 140_630_071_296, 39_161_468_928, 229_376),
        ("mistral-7b", 7_241_732_096, 7_241_732_096, 131_072),
        ("llama-2-70b", 68_976_648_192, 68_976_648_192, 327_680),
        ("demo", 692_036_928, 214_279_488, 23_040),
    ],
)
def test_the_other_presets_are_exact(plan, preset, total, active, kv) -> None:
    found = plan(preset)
    assert found["total_parameters"] == total
    assert found["active_parameters"] == active
    assert found["kv_bytes_per_token"] == kv


@pytest.mark.parametrize(("memory", "fits"), [("24G", False), ("91G", False), ("93G", True)])
def test_memory_decides_what_fits(plan, memory, fits) -> None:
    assert plan("mixtral-8x7b", "--memory", memory)["fits"] is fits


def test_a_quantised_type_is_small_on_disk_and_in_memory(plan) -> None:
    found = plan("mixtral-8x7b", "--type", "q4_0")
    assert (found["stored_type"], found["compute_type"]) == ("Q4_0", "Q4_0")
    assert found["weight_bytes"] == found["resident_weight_bytes"] < 27e9


def test_a_type_without_a_kernel_is_dequantised_in_memory(plan) -> None:
    found = plan("mixtral-8x7b", "--type", "iq3_s")
    assert (found["stored_type"], found["compute_type"]) == ("IQ3_S", "BF16")
    assert found["weight_bytes"] < 27e9 < 93e9 < found["resident_weight_bytes"]


def test_a_batch_reads_more_experts_but_not_as_many_times_more(plan) -> None:
    one, eight = plan("mixtral-8x7b"), plan("mixtral-8x7b", "--batch", 8)
    assert eight["kv_bytes"] == 8 * one["kv_bytes"]
    gain = eight["decode_tokens_per_second_ceiling"] / one["decode_tokens_per_second_ceiling"]
    assert 2 < gain < 3


def test_a_shorter_context_takes_less(plan) -> None:
    assert plan("mixtral-8x7b", "--context", 4096)["kv_bytes"] == GIB // 2


def test_a_folder_and_a_file_are_planned_as_they_lie_there(plan, run, tmp_path) -> None:
    folder, file = save_speller(tmp_path / "m"), tmp_path / "m.gguf"
    run("convert", folder, file, "--to", "gguf", "--type", "Q8_0")
    for path, stored, compute in ((folder, "F32", "F32"), (file, "Q8_0", "Q8_0")):
        found = plan(path)
        assert (found["stored_type"], found["compute_type"]) == (stored, compute)
        assert found["context"] == 512
    assert plan(folder)["weight_bytes"] == 4 * plan(folder)["total_parameters"]
    assert plan(file)["total_parameters"] == plan(folder)["total_parameters"]
    assert plan(file)["weight_bytes"] < plan(folder)["weight_bytes"] / 3


def test_a_cap_is_split_and_a_model_that_fits_has_none(plan, monkeypatch) -> None:
    found = plan("mixtral-8x7b", "--type", "q3_k", "--memory", "8GiB", "--context", 4096)
    split = found["split"]
    assert 8 <= split["slots"] < split["num_experts"] == 256
    assert split["pool_bytes"] == split["slots"] * split["expert_bytes"]
    assert split["read_bytes_per_token"] > 0
    assert found["expected_tokens_per_second"] is None  # It lies on no disk here.
    whole = plan("mixtral-8x7b", "--type", "q3_k", "--memory", "40GiB", "--context", 4096)
    assert whole["split"]["read_bytes_per_token"] == 0
    assert whole["expected_tokens_per_second"] == whole["decode_tokens_per_second_ceiling"]
    monkeypatch.setenv("OSTRO_MEMORY", "8GiB")
    assert (
        plan("mixtral-8x7b", "--type", "q3_k", "--context", 4096)["split"]["cap_bytes"] == 8 * GIB
    )


def test_a_cap_too_small_for_one_layer_names_the_least_that_works(run) -> None:
    ran = run("plan", "mixtral-8x7b", "--type", "q3_k", "--memory", "2GiB", "--context", 4096)
    assert "not in this memory; the least is --memory" in ran.out
    ran = run("plan", "mixtral-8x7b", "--memory", "much")
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_a_model_in_the_store_is_planned(plan, home) -> None:
    save_tiny(home / "models" / "org--tiny", "llama")
    found = plan("org/tiny")
    assert found["total_parameters"] == found["active_parameters"]


def test_the_table_says_the_same(run) -> None:
    ran = run("plan", "mixtral-8x7b", "--type", "Q4_0", "--memory", "24G", "--batch", 2)
    assert (ran.code, ran.err) == (0, "")
    rows = dict(line.split("  ", 1) for line in ran.out.splitlines())
    rows = {name.strip(): value.strip() for name, value in rows.items()}
    assert rows["parameters"] == "46.7 B (46,702,792,704)"
    assert rows["active a token"] == "12.9 B (12,879,925,248)"
    assert "as Q4_0" in rows["weights on disk"]
    assert rows["weights in memory"] == "26.3 GB"
    assert "2 sequences of 32,768 tokens (131,072 B a token)" in rows["keys and values"]
    assert rows["fits"] == "no"
    assert rows["decoding, at most"].endswith("tokens/s")
