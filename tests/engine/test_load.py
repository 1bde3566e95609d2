"""``ostro.load``: where a model is found, and in what precision it computes."""

from pathlib import Path

import pytest
import torch

import ostro
from native_library import needs_native
from ostro.engine.load import locate
from ostro.engine.session import Session
from ostro.errors import CheckpointError, MemoryPlanError, OstroError
from ostro.kernels.library import NoLibrary
from ostro.runtime.environment import Environment
from ostro.runtime.memory import Memory
from ostro.runtime.progress import SilentProgress
from tiny import save_gguf, save_tiny
from tiny_chat import ANSWER, save_babbler, save_speller

SILENT = SilentProgress()


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(home=tmp_path / "home")


@needs_native
@pytest.mark.parametrize(
    ("stored", "name"),
    [(torch.float32, "F32"), (torch.bfloat16, "BF16"), (torch.float16, "F16")],
)
def test_a_dense_checkpoint_computes_in_its_own_type(tmp_path, stored, name) -> None:
    llm = ostro.load(save_tiny(tmp_path / "m", dtype=stored), progress=SILENT)
    assert llm.settings.type_name == llm.model.cache_type == name
    assert llm.settings.kernels in ("avx2", "avx512")
    assert llm.logits([1, 2]).dtype == torch.float32


@needs_native
def test_a_quantised_checkpoint_computes_as_stored(tmp_path) -> None:
    path = save_gguf(tmp_path / "m.gguf", save_babbler(tmp_path / "m"), "Q8_0")
    llm = ostro.load(path, progress=SILENT)
    assert (llm.settings.type_name, llm.model.cache_type) == ("Q8_0", "F16")


def test_without_the_native_library_a_quantised_checkpoint_becomes_f16(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("ostro.engine.planning.load_library", lambda: NoLibrary("it is not built"))
    path = save_gguf(tmp_path / "m.gguf", save_babbler(tmp_path / "m"), "Q8_0")
    llm = ostro.load(path, progress=SILENT)
    assert llm.model.embedding_VD.dtype == torch.float16
    assert llm.settings.kernels == "torch"
    assert "it is not built" in str(llm.settings.notice)


@pytest.mark.parametrize("dtype", [torch.bfloat16, "bfloat16", "BF16", "bf16"])
def test_the_type_can_be_chosen(tmp_path, dtype) -> None:
    llm = ostro.load(save_tiny(tmp_path / "m"), dtype=dtype, progress=SILENT)
    assert llm.settings.type_name == "BF16"


def test_a_file_carries_its_tokenizer_and_template(tmp_path) -> None:
    path = save_gguf(tmp_path / "m.gguf", save_speller(tmp_path / "m"))
    llm = ostro.load(str(path), progress=SILENT)
    assert llm.name == "m.gguf"
    assert llm.chat([{"role": "user", "content": "Hello"}]).text == ANSWER


def test_a_model_in_the_store_is_found_by_name(tmp_path, env) -> None:
    folder = save_speller(env.models / "org--tiny")
    for name in ("org/tiny", "org--tiny"):
        assert locate(name, env, SILENT).path == folder
        assert ostro.load(name, environment=env, progress=SILENT).name == name


def test_an_unknown_name_says_what_there_is_and_what_to_do(env) -> None:
    with pytest.raises(OstroError, match=r"no model 'nobody'.*none yet\); try ostro pull HUB_ID"):
        locate("nobody", env, SILENT)
    save_tiny(env.models / "mine")
    with pytest.raises(OstroError, match=r"there are: mine\); try ostro pull org/other"):
        locate("org/other", env, SILENT)


def test_the_demo_is_prepared_and_nothing_else(env, monkeypatch) -> None:
    prepared = []

    def prepare(environment, progress):
        prepared.append(environment)
        folder = environment.models / "demo"
        return folder if folder.exists() else save_tiny(folder)

    monkeypatch.setattr("ostro.engine.load.prepare_demo", prepare)
    save_tiny(env.models / "mine")
    assert locate("mine", env, SILENT).path == env.models / "mine"
    assert not prepared
    for _ in range(2):  # Each time: an earlier ostro's demo is there, and is to be replaced.
        assert locate("demo", env, SILENT).path == env.models / "demo"
    assert prepared == [env, env]


@pytest.mark.parametrize("context", [0, -1, 513])
def test_a_context_out_of_range_is_refused(tmp_path, context) -> None:
    folder = save_tiny(tmp_path / "m")
    with pytest.raises(OstroError, match=f"context {context} is out of range; m reads 1 to 512"):
        ostro.load(folder, context=context, progress=SILENT)


def test_the_context_is_the_models_own_limit_unless_given(tmp_path) -> None:
    folder = save_tiny(tmp_path / "m")
    assert ostro.load(folder, progress=SILENT).context == 512
    assert ostro.load(folder, context=512, progress=SILENT).context == 512
    assert ostro.load(folder, context=7, progress=SILENT).context == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "dtype 'int8' is not supported"),
        ({"device": "abacus"}, "unknown device 'abacus'"),
        ({"threads": -1}, "threads must be 1 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, options, message) -> None:
    with pytest.raises(OstroError, match=message):
        ostro.load(save_tiny(tmp_path / "m"), progress=SILENT, **options)


def test_the_environment_gives_the_threads_unless_told(tmp_path, env) -> None:
    folder = save_tiny(tmp_path / "m")
    before = torch.get_num_threads()
    try:
        given = Environment(home=env.home, threads=1)
        assert ostro.load(folder, environment=given, progress=SILENT).settings.threads == 1
        plain = ostro.load(folder, environment=given, threads=2, dtype="float32", progress=SILENT)
        assert plain.settings.threads == torch.get_num_threads() == 2
        llm = ostro.load(folder, environment=given, threads=2, progress=SILENT)
        assert llm.settings.threads == 2
        # Where the native kernels run, threads of torch would stand in their way.
        assert torch.get_num_threads() == (2 if llm.settings.kernels == "torch" else 1)
    finally:
        torch.set_num_threads(before)


@needs_native
def test_what_does_not_fit_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    def fail(*_, **__):
        raise AssertionError("weights were read")

    monkeypatch.setattr("ostro.engine.planning.read_memory", lambda: Memory(1 << 30, 1 << 20))
    monkeypatch.setattr("ostro.engine.load.prepare", fail)
    with pytest.raises(MemoryPlanError, match="take a smaller model or more memory"):
        ostro.load(save_tiny(tmp_path / "m"), progress=SILENT)


def test_an_empty_folder_is_no_model(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="empty"):
        ostro.load(tmp_path / "empty", progress=SILENT)


@needs_native
def test_keys_and_values_in_8_bits(tmp_path) -> None:
    folder = save_babbler(tmp_path / "b", hidden_size=128, num_attention_heads=4)
    llm = ostro.load(folder, cache_type="Q8_0", context=64, progress=SilentProgress())
    assert llm.core.cache.keys.dtype == torch.int8
    session = Session(llm.model, 64, cache_type="Q8_0")
    expected, logits = [], session.feed(llm.encode("a"))
    for _ in range(4):
        expected.append(int(logits.argmax()))
        logits = session.feed(expected[-1:])
    assert llm.generate("a", max_tokens=4).token_ids == expected


def test_more_answers_at_once_get_more_pages(tmp_path) -> None:
    folder = save_babbler(tmp_path / "b")
    llm = ostro.load(folder, context=64, concurrency=3, progress=SilentProgress())
    assert llm.cache.tokens == 3 * 64
    assert llm.core.pool.size == 7
