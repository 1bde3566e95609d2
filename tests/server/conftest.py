"""Tiny models behind real sockets, one for all tests of this room."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

import ostro
from ostro.engine.llm import LLM
from ostro.runtime.progress import SilentProgress
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from tiny_chat import TOOL_TEMPLATE, save_babbler, save_speller

CALLS = """\
<tool_call>
[{"name": "get", "arguments": {"a": 1}}, {"name": "put", "arguments": {}}]
</tool_call>"""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Matrices this small are not worth a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSTRO_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def make_llm(tmp_path_factory) -> Callable[..., LLM]:
    """Save a model in a folder of its name, and load it."""

    def make(save: Callable[..., Path], name: str, *arguments: str, **changes: object) -> LLM:
        folder = tmp_path_factory.mktemp("models") / name
        folder.mkdir()
        return ostro.load(save(folder, *arguments, **changes), progress=SilentProgress())

    return make


@pytest.fixture(scope="session")
def speller(make_llm) -> LLM:
    return make_llm(save_speller, "speller")


@pytest.fixture(scope="session")
def babbler(make_llm) -> LLM:
    return make_llm(save_babbler, "babbler", max_position_embeddings=4096)


@pytest.fixture(scope="session")
def closing() -> Iterator[ThreadPoolExecutor]:
    """Closes servers while the next tests run: each takes a quarter of a second."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def serve(
    closing: ThreadPoolExecutor,
) -> Iterator[Callable[..., tuple[RunningServer, httpx2.Client]]]:
    """Serve a model for the length of a test."""
    running: list[tuple[RunningServer, httpx2.Client]] = []

    def start(llm: LLM, **options: object) -> tuple[RunningServer, httpx2.Client]:
        server = RunningServer(llm, ServeOptions(port=0, **options))
        running.append((server, httpx2.Client(base_url=server.url, timeout=20)))
        return running[-1]

    yield start
    for server, client in running:
        client.close()
        closing.submit(server.close)


def _client(llm: LLM) -> Iterator[httpx2.Client]:
    with (
        RunningServer(llm, ServeOptions(port=0)) as server,
        httpx2.Client(base_url=server.url, timeout=20) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def spelling(speller: LLM) -> Iterator[httpx2.Client]:
    """To a server that says the alphabet."""
    yield from _client(speller)


@pytest.fixture(scope="session")
def babbling(babbler: LLM) -> Iterator[httpx2.Client]:
    """To a server whose words depend on everything that was asked."""
    yield from _client(babbler)


@pytest.fixture(scope="session")
def calling(make_llm) -> Iterator[httpx2.Client]:
    """To a server that calls two functions whenever it may."""
    yield from _client(
        make_llm(
            save_speller, "caller", CALLS, template=TOOL_TEMPLATE, max_position_embeddings=2048
        )
    )
