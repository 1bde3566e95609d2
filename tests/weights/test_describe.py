"""Models on the hub, described from a few kilobytes."""

import json
from pathlib import Path

import pytest

from fake_hub import FakeHub, running
from ostro.config import PRESETS
from ostro.runtime.environment import Environment
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.describe import describe_hub
from ostro.weights.hf_config import config_from_geometry
from ostro.weights.mistral_params import params_from_geometry
from tiny import save_gguf, save_tiny

GEOMETRY = PRESETS["mixtral-8x7b"]


@pytest.fixture
def hub():
    with running(FakeHub()) as hub:
        yield hub


@pytest.fixture
def env(hub: FakeHub, tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home", hub_endpoint=hub.endpoint)


def test_hugging_face_by_config_and_index(hub: FakeHub, env: Environment) -> None:
    index = {"metadata": {"total_size": 93_405_585_408}, "weight_map": {}}
    hub.models["org/mixtral"] = {
        "config.json": json.dumps(config_from_geometry(GEOMETRY, "bfloat16", {})).encode(),
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-00001-of-00001.safetensors": bytes(50_000),
    }
    found = describe_hub(env, "org/mixtral")
    assert found.geometry == GEOMETRY
    assert (found.stored_type.name, found.stored_bytes) == ("BF16", 93_405_585_408)
    assert not any(request.path.endswith(".safetensors") for request in hub.downloads())


def test_mistral_by_params(hub: FakeHub, env: Environment) -> None:
    hub.models["org/mistral"] = {
        "params.json": json.dumps(params_from_geometry(GEOMETRY)).encode(),
        "consolidated.safetensors": bytes(50_000),
    }
    found = describe_hub(env, "org/mistral")
    assert (found.geometry, found.stored_bytes) == (GEOMETRY, 50_000)


def test_gguf_by_its_head(hub: FakeHub, env: Environment, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "tiny")
    original, path = open_checkpoint(folder), save_gguf(tmp_path / "tiny.gguf", folder)
    hub.models["org/tiny"] = {"tiny.gguf": path.read_bytes()}
    found = describe_hub(env, "org/tiny/tiny.gguf")
    assert found.geometry == original.geometry
    assert (found.stored_type.name, found.stored_bytes) == ("F32", path.stat().st_size)
