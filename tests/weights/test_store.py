"""The model store: what is listed, found and removed, and what a name may not do."""

from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.weights.store import (
    find_model,
    is_model_name,
    list_models,
    lock_path,
    model_folder,
    partial_folder,
    read_record,
    remove_model,
    write_record,
)

HUB_ID = "mistralai/Mixtral-8x7B-Instruct-v0.1"


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home")


def put(env: Environment, name: str, *, source: str | None = None, size: int = 10) -> Path:
    folder = model_folder(env, name)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(size))
    if source is not None:
        write_record(folder, source=source, revision="abc")
    return folder


def test_an_empty_home_has_no_models(env: Environment) -> None:
    assert list_models(env) == []
    assert find_model(env, "demo") is None


def test_a_pulled_model_is_found_by_its_hub_id_and_by_its_folder(env: Environment) -> None:
    folder = put(env, HUB_ID, source=HUB_ID)
    assert folder.name == "mistralai--Mixtral-8x7B-Instruct-v0.1"
    assert find_model(env, HUB_ID) == find_model(env, folder.name) == folder


def test_a_listing_tells_name_size_source_and_time(env: Environment) -> None:
    put(env, HUB_ID, source=HUB_ID, size=1000)
    put(env, "demo", source="upcycled from parent.gguf, seed 0")
    demo, mixtral = list_models(env)
    assert (demo.name, demo.source) == ("demo", "upcycled from parent.gguf, seed 0")
    assert (mixtral.name, mixtral.source) == (HUB_ID, HUB_ID)
    record_bytes = (mixtral.path / "ostro.json").stat().st_size
    assert mixtral.bytes == 1000 + record_bytes
    assert mixtral.when[:2] == "20"
    assert mixtral.when.endswith("+00:00")


def test_a_folder_without_a_record_is_listed_under_its_own_name(env: Environment) -> None:
    put(env, "mine")
    (model,) = list_models(env)
    assert (model.name, model.source) == ("mine", "put here by hand")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": "x", "files": 3}', '{"files": {}}'])
def test_a_damaged_record_counts_as_none(env: Environment, text: str) -> None:
    folder = put(env, "mine")
    (folder / "ostro.json").write_text(text)
    assert read_record(folder) is None
    assert [model.name for model in list_models(env)] == ["mine"]


def test_a_record_cannot_give_a_model_another_name(env: Environment) -> None:
    put(env, "mine", source="mistralai/another")
    assert [model.name for model in list_models(env)] == ["mine"]


def test_downloads_under_way_are_not_models(env: Environment) -> None:
    partial_folder(env, HUB_ID).mkdir(parents=True)
    write_record(partial_folder(env, HUB_ID), source=HUB_ID)
    lock_path(env, HUB_ID).touch()
    assert list_models(env) == []
    assert find_model(env, HUB_ID) is None


def test_removing_says_what_it_freed_and_leaves_the_others(env: Environment) -> None:
    folder = put(env, HUB_ID, size=5000)
    put(env, "other")
    assert remove_model(env, HUB_ID) == 5000
    assert not folder.exists()
    assert [model.name for model in list_models(env)] == ["other"]
    assert [path.name for path in env.models.iterdir() if path.is_dir()] == ["other"]


def test_removing_drops_a_broken_download_too(env: Environment) -> None:
    partial = partial_folder(env, HUB_ID)
    partial.mkdir(parents=True)
    (partial / "model.safetensors.abc.incomplete").write_bytes(bytes(70))
    assert remove_model(env, HUB_ID) == 70
    assert not partial.exists()


def test_removing_a_link_leaves_what_it_points_at(env: Environment, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "model.safetensors").write_bytes(b"weights")
    env.models.mkdir(parents=True)
    (env.models / "linked").symlink_to(elsewhere)
    assert remove_model(env, "linked") == 0
    assert find_model(env, "linked") is None
    assert (elsewhere / "model.safetensors").read_bytes() == b"weights"


def test_removing_an_unknown_model_names_those_that_are_there(env: Environment) -> None:
    put(env, HUB_ID, source=HUB_ID)
    with pytest.raises(OstroError, match=f"no model 'mixtrall' to remove.*{HUB_ID}"):
        remove_model(env, "mixtrall")


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/../b", "/etc", "a//b", ".hidden", "a\\b", "a b", "~", "c:x", "a/"]
)
def test_a_name_cannot_leave_the_store(env: Environment, name: str) -> None:
    env.models.mkdir(parents=True)
    (env.home / "x").mkdir()
    assert not is_model_name(name)
    assert find_model(env, name) is None
    for function in (model_folder, remove_model):
        with pytest.raises(OstroError, match="not a model's name"):
            function(env, name)
    assert (env.home / "x").is_dir()
