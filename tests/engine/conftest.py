"""Two tiny models, on one thread: matrices this small are not worth a second."""

from collections.abc import Iterator

import pytest

import ostro
from ostro.engine.llm import LLM
from ostro.runtime.progress import SilentProgress
from tiny_chat import save_babbler, save_speller


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSTRO_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> LLM:
    """Answers everything with ``tiny_chat.ANSWER``."""
    return ostro.load(save_speller(tmp_path_factory.mktemp("speller")), progress=SilentProgress())


@pytest.fixture(scope="module")
def babbler(tmp_path_factory: pytest.TempPathFactory) -> LLM:
    """Random weights: what it says depends on everything before."""
    return ostro.load(save_babbler(tmp_path_factory.mktemp("babbler")), progress=SilentProgress())
