"""Workers: what they are asked, what they answer, and how they fail."""

import sys
from pathlib import Path

import pytest

from peers.client import Worker
from peers.protocol import answer, ids, switched_on
from rounds import EngineFailed

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"
ECHO = """
import sys
sys.path.insert(0, {peers!r})
from protocol import serve
class Engine:
    vocab_size = 1000
    def __init__(self, setup): print("noise on standard output", setup.path)
    def clear(self): pass
    def feed(self, tokens):
        if len(tokens[0]) == 13: raise SystemExit("thirteen is too many")
    def about(self): return {{"engine": "echo", "version": 1}}
serve(Engine)
"""


class Recorder:
    """An engine that remembers what it was fed."""

    vocab_size = 1000

    def __init__(self) -> None:
        self.fed: list[list[int]] = []

    def clear(self) -> None:
        self.fed.clear()

    def feed(self, tokens) -> None:
        self.fed.append([len(part) for part in tokens])


def test_measurements_feed_what_they_say() -> None:
    engine = Recorder()
    assert answer(engine, {"measure": "prefill", "tokens": 9}) > 0
    assert engine.fed == [[9]]
    answer(engine, {"measure": "extend", "tokens": 2})
    assert engine.fed == [[9], [1], [1]]
    answer(engine, {"measure": "decode", "prompt": 4, "tokens": 2, "sequences": 3})
    assert engine.fed == [[4], [0, 4], [0, 0, 4], [1, 1, 1], [1, 1, 1]]


def test_ids_are_words_and_depend_on_the_seed() -> None:
    first = ids(200, 32_000, 0)
    assert first == ids(200, 32_000, 0) != ids(200, 32_000, 1)
    assert all(300 <= number < 32_000 for number in first)
    assert len(set(first)) > 150


def test_features_are_those_that_are_on() -> None:
    assert switched_on("CPU : AVX = 1 | AVX2 = 1 | AVX512 = 0 |") == "AVX AVX2"


@pytest.fixture
def worker(tmp_path) -> Worker:
    script = tmp_path / "echo.py"
    script.write_text(ECHO.format(peers=str(PEERS)))
    setup = {"path": "a model", "threads": 1, "context": 64}
    return Worker(Path(sys.executable), str(script), setup, log=tmp_path / "log")


def test_a_worker_answers_whatever_its_library_prints(worker, tmp_path) -> None:
    with worker:
        assert worker.about == "echo 1"
        assert worker.measure({"measure": "prefill", "tokens": 5}).speed > 0
    assert "noise on standard output a model" in (tmp_path / "log").read_text()


def test_a_worker_that_ends_says_its_last_words(worker) -> None:
    with pytest.raises(EngineFailed, match="thirteen is too many"):
        worker.measure({"measure": "prefill", "tokens": 13})
