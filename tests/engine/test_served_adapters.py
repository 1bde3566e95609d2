"""Requests with different adapters, and with none, share steps and never each other's cache."""

import pytest

import ostro
from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from peft_files import random_pairs, save_adapter
from tiny_chat import save_babbler

PROMPT = "a common beginning that is longer than one page of the cache, so that it is shared: "
NAMES = (None, "first", "second")


@pytest.fixture(scope="module")
def llm(tmp_path_factory) -> LLM:
    llm = ostro.load(save_babbler(tmp_path_factory.mktemp("b")), progress=SilentProgress())
    for seed, name in enumerate(("first", "second")):
        tensors = random_pairs(llm.model.geometry, seed=seed)
        modules = sorted({key.split(".")[-3] for key in tensors})
        folder = tmp_path_factory.mktemp(name)
        llm.add_adapter(save_adapter(folder, tensors, target_modules=modules), name)
    return llm


def test_each_gets_what_it_gets_alone(llm: LLM) -> None:
    options = {"max_tokens": 12, "temperature": 1.0, "seed": 1}
    requests = [llm.request(f"{PROMPT}{n % 2}", adapter=NAMES[n % 3], **options) for n in range(12)]
    together = llm.batch(requests, progress=SilentProgress())
    for request, answer in zip(requests, together, strict=True):
        llm.core.tree.clear()
        (alone,) = llm.batch([request], progress=SilentProgress())
        assert answer.token_ids == alone.token_ids
    assert len({tuple(answer.token_ids) for answer in together[::2]}) == 3


def test_an_adapter_finds_its_own_keys_and_values_again(llm: LLM) -> None:
    llm.core.tree.clear()
    read = [0]
    for name in (*NAMES, *NAMES):
        llm.generate(PROMPT, adapter=name, max_tokens=1)
        read.append(llm.core.scheduler.prompt_tokens_read)
    first, second = read[3] - read[0], read[6] - read[3]
    assert second == 3 < first


def test_an_unknown_adapter_is_named(llm: LLM) -> None:
    with pytest.raises(OstroError, match="there is no adapter 'third'; there are: first, second"):
        llm.generate(PROMPT, adapter="third")
