"""Plans for what is on paper, on disk and in the store, and the refusal of what does not fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from ostro.config import PRESETS, WEIGHT_TYPES, kv_bytes_per_token, make_plan
from ostro.config.plan import workspace_bytes
from ostro.config.weight_types import cache_type
from ostro.engine.planning import (
    cache_tokens,
    compute_type,
    describe_model,
    kept_type,
    plan_model,
    require_fit,
)
from ostro.errors import MemoryPlanError, OstroError
from ostro.kernels.library import NoLibrary
from ostro.runtime.environment import Environment
from ostro.runtime.memory import Memory
from ostro.weights.describe import Description
from tiny import save_tiny

GIB = 1 << 30


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home", threads=2)


@pytest.fixture(autouse=True)
def speeds(monkeypatch) -> list[tuple[Path, int]]:
    """A bandwidth that need not be measured, and who asked for it."""
    asked: list[tuple[Path, int]] = []

    def read(home: Path, threads: int) -> float:
        asked.append((home, threads))
        return 10e9

    monkeypatch.setattr("ostro.engine.planning.read_bandwidth", read)
    return asked


def free(monkeypatch, available: int) -> None:
    monkeypatch.setattr("ostro.engine.planning.read_memory", lambda: Memory(64 * GIB, available))


@pytest.mark.parametrize(
    ("stored", "compute"),
    [("F32", "F32"), ("BF16", "BF16"), ("F16", "F16"), ("Q4_0", "F16"), ("Q4_K", "F16")],
)
def test_without_native_kernels_quantised_weights_become_f16(stored, compute) -> None:
    assert compute_type(WEIGHT_TYPES[stored], native=False) == WEIGHT_TYPES[compute]


@pytest.mark.parametrize(
    ("stored", "compute", "cache"),
    [
        ("F32", "F32", "F32"),
        ("BF16", "BF16", "BF16"),
        ("Q4_0", "Q4_0", "F16"),
        ("Q3_K", "Q3_K", "F16"),
        ("IQ3_S", "BF16", "BF16"),
    ],
)
def test_native_kernels_compute_as_stored_where_they_can(stored, compute, cache) -> None:
    assert compute_type(WEIGHT_TYPES[stored]) == WEIGHT_TYPES[compute]
    assert cache_type(WEIGHT_TYPES[compute]) == WEIGHT_TYPES[cache]


def test_a_preset_is_planned_as_published(env, monkeypatch) -> None:
    free(monkeypatch, 24 * GIB)
    plan = plan_model(describe_model("mixtral-8x7b", env), env)
    assert plan.total_parameters == 46_702_792_704
    assert plan.active_parameters == 12_879_925_248
    assert plan.weight_bytes == plan.resident_weight_bytes == 93_405_585_408
    assert (plan.stored_type, plan.compute_type, plan.context) == ("BF16", "BF16", 32768)
    assert (plan.memory_bytes, plan.fits) == (24 * GIB, False)
    assert plan.decode_tokens_per_second_ceiling == 10e9 / (2 * 12_748_853_248)


def test_memory_and_type_can_be_given(env) -> None:
    model = describe_model("mixtral-8x7b", env)
    plan = plan_model(model, env, kind=WEIGHT_TYPES["Q4_0"], memory_bytes=100 * GIB)
    assert (plan.stored_type, plan.compute_type) == ("Q4_0", "Q4_0")
    assert plan.weight_bytes == plan.resident_weight_bytes < 27e9
    other = plan_model(model, env, kind=WEIGHT_TYPES["IQ3_S"], memory_bytes=100 * GIB)
    assert (other.stored_type, other.compute_type) == ("IQ3_S", "BF16")
    assert other.resident_weight_bytes > 93e9 > 3 * other.weight_bytes
    assert plan.fits
    assert not plan_model(model, env, memory_bytes=90 * GIB).fits


def test_bandwidth_is_measured_with_the_threads_that_will_compute(env, speeds) -> None:
    model = describe_model("mistral-7b", env)
    plan_model(model, env)
    plan_model(model, env, threads=7)
    assert speeds == [(env.home, 2), (env.home, 7)]


def test_files_on_disk_count_byte_by_byte(env, tmp_path) -> None:
    folder = save_tiny(tmp_path / "m")
    description = describe_model(str(folder), env)
    plan = plan_model(description, env)
    assert plan.weight_bytes == description.stored_bytes == plan.total_parameters * 4
    assert plan_model(description, env, kind=WEIGHT_TYPES["BF16"]).weight_bytes * 2 == (
        plan.weight_bytes
    )


def test_a_model_in_the_store_goes_before_a_preset(env) -> None:
    save_tiny(env.models / "mistral-7b")
    assert describe_model("mistral-7b", env).geometry.num_layers == 3


def test_an_unknown_model_is_an_error_that_lists_the_presets(env) -> None:
    with pytest.raises(OstroError, match=r"no model 'mixtral-9x9b'.* presets .*mixtral-8x7b"):
        describe_model("mixtral-9x9b", env)


def test_without_the_native_library_the_plan_counts_dense_weights(env, monkeypatch) -> None:
    missing = NoLibrary("it is not built")
    monkeypatch.setattr("ostro.engine.planning.load_library", lambda: missing)
    model = replace(described(env), stored_type=WEIGHT_TYPES["Q4_0"])
    assert plan_model(model, env, memory_bytes=GIB).compute_type == "F16"


def test_a_path_that_is_not_there_is_not_taken_for_a_hub_id(env) -> None:
    with pytest.raises(OstroError, match="neither a path"):
        describe_model("./no/such/folder", env)


def described(env: Environment) -> Description:
    return describe_model("mistral-7b", env)


def test_what_fits_passes(env, monkeypatch) -> None:
    free(monkeypatch, 40 * GIB)
    require_fit(described(env), WEIGHT_TYPES["BF16"], 4096)


def test_the_context_that_would_fit_is_named_and_does_fit(env, monkeypatch) -> None:
    free(monkeypatch, 15 * GIB)
    kind = WEIGHT_TYPES["BF16"]
    with pytest.raises(MemoryPlanError, match=r"mistral-7b needs .* --context \d+ would fit") as e:
        require_fit(described(env), kind, 32768)
    context = int(str(e.value).partition("--context ")[2].split()[0])
    require_fit(described(env), kind, context)
    with pytest.raises(MemoryPlanError):
        require_fit(described(env), kind, context + 1)


def test_where_no_context_would_fit_the_weights_are_named(env, monkeypatch) -> None:
    free(monkeypatch, 8 * GIB)
    plan = make_plan(
        described(env).geometry,
        model="m",
        stored=WEIGHT_TYPES["BF16"],
        compute=WEIGHT_TYPES["BF16"],
        memory_bytes=0,
        read_bandwidth=0,
    )
    assert plan.resident_weight_bytes > 8 * GIB
    with pytest.raises(MemoryPlanError, match=r"its weights alone take 14\.5 GB.* smaller model"):
        require_fit(described(env), WEIGHT_TYPES["BF16"], 4096)


def test_the_type_that_is_computed_in_counts_and_not_the_stored(env, monkeypatch) -> None:
    free(monkeypatch, 20 * GIB)
    require_fit(described(env), WEIGHT_TYPES["BF16"], 4096)
    with pytest.raises(MemoryPlanError):
        require_fit(described(env), WEIGHT_TYPES["F32"], 4096)


def test_pages_grow_with_spare_memory_up_to_a_context_for_each() -> None:
    geometry, kind = PRESETS["mixtral-8x7b"], WEIGHT_TYPES["F16"]
    each = kv_bytes_per_token(geometry, kind)

    def tokens(spare: int, concurrency: int = 4) -> int:
        return cache_tokens(geometry, kind, 1000, concurrency=concurrency, spare=spare)

    rows = workspace_bytes(geometry, 4) - workspace_bytes(geometry, 1)
    assert tokens(0) == tokens(rows) == 1000
    assert tokens(rows + 700 * each) == 1700
    assert tokens(1 << 40) == 4000
    assert tokens(1 << 40, concurrency=1) == 1000


def test_keys_and_values_are_kept_as_asked_where_the_kernels_can() -> None:
    kind = WEIGHT_TYPES["Q4_0"]
    assert kept_type(None, kind, native=True).name == "F16"
    assert kept_type("q8_0", kind, native=True).name == "Q8_0"
    for asked, native in (("Q8_0", False), ("Q4_0", True)):
        with pytest.raises(OstroError, match=rf"kept in F32, .* here, not {asked}"):
            kept_type(asked, kind, native=native)
