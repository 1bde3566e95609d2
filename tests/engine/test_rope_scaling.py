"""A rope scaling chosen at load: how far it reads, and what it leaves as it was."""

from pathlib import Path

import pytest
import torch

import ostro
from native_library import needs_native
from ostro.config import RopeScaling
from ostro.errors import OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.prepared import content_key, prepared_path
from tiny import save_gguf, save_tiny
from tiny_chat import save_babbler

SILENT = SilentProgress()
IDS = [number % 150 + 3 for number in range(200)]
TEXT = "What is good for the hive is good for the bee, whatever the weather. " * 2
YARN = RopeScaling(kind="yarn", factor=4.0, original_context=64)


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_babbler(tmp_path / "m", max_position_embeddings=64)


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_the_context_grows_by_the_factor(folder, env, dtype) -> None:
    options = {"environment": env, "progress": SILENT, "dtype": dtype}
    llm = ostro.load(folder, rope_scaling="yarn:4", **options)
    assert llm.context == llm.model.geometry.context_length == 256
    assert llm.model.geometry.rope_scaling == YARN
    assert llm.cache.tokens == 256
    told = llm.generate(TEXT, max_tokens=20, ignore_eos=True)
    assert (told.prompt_tokens > 64, told.completion_tokens) == (True, 20)
    plain = ostro.load(folder, **options)
    with pytest.raises(OstroError, match="139 tokens and the context holds 64"):
        plain.generate(TEXT, max_tokens=20)


def test_less_may_be_asked_for_but_not_more(folder, env) -> None:
    options = {"environment": env, "progress": SILENT, "rope_scaling": "linear:3"}
    assert ostro.load(folder, context=100, **options).context == 100
    with pytest.raises(OstroError, match="context 193 is out of range; m reads 1 to 192"):
        ostro.load(folder, context=193, **options)


def test_what_cannot_be_is_told_before_a_model_is_looked_for(env) -> None:
    with pytest.raises(OstroError, match="'dynamic' is refused: it depends on the current length"):
        ostro.load("nobody", rope_scaling="dynamic:4", environment=env, progress=SILENT)


@needs_native
def test_weights_are_prepared_once_for_all_choices(folder, env, tmp_path) -> None:
    path = save_gguf(tmp_path / "m.gguf", folder, "Q8_0")
    found = [
        ostro.load(path, rope_scaling=choice, environment=env, progress=SILENT).logits(IDS)
        for choice in (None, "yarn:4", "linear:4", "ntk:4", "default")
    ]
    assert [file.name for file in env.prepared.glob("*.prepared")] == [
        prepared_path(open_checkpoint(path), env.prepared).name
    ]
    assert torch.equal(found[0], found[-1])
    for number in range(4):
        for other in range(number):
            assert not torch.equal(found[number], found[other])


def test_a_file_with_scaling_is_another_model(tmp_path) -> None:
    rope = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    keys = [
        content_key(open_checkpoint(save_tiny(tmp_path / name, rope_parameters=parameters)))
        for name, parameters in (("a", rope), ("b", rope | {"factor": 3.0}), ("c", None))
    ]
    assert len(set(keys)) == 3


def test_a_cached_beginning_goes_on_the_same_way(folder, env) -> None:
    options = {"max_tokens": 20, "ignore_eos": True}
    loading = {"rope_scaling": "yarn:4", "environment": env, "progress": SILENT}
    llm = ostro.load(folder, **loading)
    llm.generate(TEXT, **options)
    read = llm.core.scheduler.prompt_tokens_read
    longer = llm.generate(TEXT + "Honey.", **options)
    assert llm.core.scheduler.prompt_tokens_read - read < 64
    fresh = ostro.load(folder, **loading).generate(TEXT + "Honey.", **options)
    assert longer.token_ids == fresh.token_ids
