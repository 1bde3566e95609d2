"""A server of a tiny model, and what it must not lose whatever clients do."""

import logging
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

import ostro
from ostro.engine.llm import LLM
from ostro.runtime.progress import SilentProgress
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from robustness.wire import Wire
from tiny_chat import save_babbler

PROMPT = "how are you"
TOKENS = 12


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Matrices this small are not worth a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSTRO_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def llm(tmp_path_factory) -> LLM:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    save_babbler(folder, num_hidden_layers=1, max_position_embeddings=2048)
    return ostro.load(folder, progress=SilentProgress(), concurrency=8)


@pytest.fixture(scope="module")
def server(llm) -> Iterator[RunningServer]:
    """A server that loses its patience soon."""
    options = ServeOptions(port=0, header_seconds=1.0, stall_seconds=1.0, connections=40)
    with RunningServer(llm, options) as running:
        yield running


@pytest.fixture(scope="session")
def expected(llm) -> str:
    """What the model says to :data:`PROMPT`."""
    return llm.generate(PROMPT, max_tokens=TOKENS, ignore_eos=True).text


@pytest.fixture
def wire(server, expected, caplog) -> Iterator[Callable[..., Wire]]:
    """Connections to the server, which afterwards answers as before and has lost nothing."""
    caplog.set_level(logging.INFO)
    assert answer(server) == expected
    settle(server)
    before, made = open_files(), []

    def connect(**options: object) -> Wire:
        made.append(Wire(server.url, **options))
        return made[-1]

    yield connect
    assert answer(server) == expected, "while the clients are still there"
    for one in made:
        one.close()
    settle(server)
    assert answer(server) == expected
    settle(server)
    wait_for(lambda: open_files() <= before, "file descriptors are lost")
    assert "Traceback" not in caplog.text


def answer(server: RunningServer) -> str:
    """A plain answer, by a client that behaves."""
    body = {"model": "tiny", "prompt": PROMPT, "max_tokens": TOKENS, "ignore_eos": True}
    with Wire(server.url) as client:
        client.post("/v1/completions", body)
        status, _, told = client.response()
    assert status == 200, told
    return told["choices"][0]["text"]


def settle(server: RunningServer) -> None:
    """Wait until nothing runs; then nobody but the tree may hold a page, and nobody a stream."""
    engine = server.endpoints.served.engine
    wait_for(lambda: engine.is_idle and engine.core.is_idle, "the engine does not come to rest")
    wait_for(lambda: not server.uvicorn.server_state.connections, "connections are lost")
    wait_for(lambda: not server.uvicorn.server_state.tasks, "tasks are lost")
    core = engine.core
    assert core.pool.num_free + core.tree.num_pages == core.pool.size
    assert core.tree.num_unused == core.tree.num_pages


def wait_for(condition: Callable[[], object], words: str, seconds: float = 10.0) -> None:
    """Until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, words
        time.sleep(0.01)


def open_files() -> int:
    """File descriptors of this process."""
    return psutil.Process().num_fds()
