"""Reads in the background: whole, failing, and stopped before their end."""

import errno
import os
import threading
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime import background_reads
from ostro.runtime.background_reads import BackgroundReader
from ostro.runtime.direct_reads import DirectFile, PageMemory

PIECE = 8192


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch) -> None:
    monkeypatch.setattr(background_reads, "_PIECE", PIECE)


@pytest.fixture
def content(tmp_path) -> bytes:
    data = os.urandom(20 * PIECE + 4096)
    (tmp_path / "data").write_bytes(data)
    return data


def test_all_pieces_arrive_in_their_places(tmp_path, content) -> None:
    memory = PageMemory(len(content) - 4096)
    read = BackgroundReader(DirectFile(tmp_path / "data")).start(memory.view, 4096)
    read.result()
    assert read.done
    assert not read.failed
    assert bytes(memory.view) == content[4096:]


def test_a_stopped_read_touches_nothing_afterwards(tmp_path, content, monkeypatch) -> None:
    """Pieces under way are waited for; those that had not begun are never read."""
    begun, go_on = threading.Semaphore(0), threading.Event()
    plain = DirectFile.read_into

    def slow(self, memory, offset) -> None:
        begun.release()
        assert go_on.wait(10)
        plain(self, memory, offset)

    monkeypatch.setattr(DirectFile, "read_into", slow)
    memory = PageMemory(len(content))
    read = BackgroundReader(DirectFile(tmp_path / "data")).start(memory.view, 0)
    assert begun.acquire(timeout=10)
    assert not read.done
    stopped: list[int] = []
    stopper = threading.Thread(target=lambda: stopped.append(read.stop()))
    stopper.start()
    assert read._stopped.wait(10)
    go_on.set()
    stopper.join(10)
    at_work = background_reads._READERS
    assert read.done
    assert PIECE <= stopped[0] <= at_work * PIECE
    assert bytes(memory.view[at_work * PIECE :]) == bytes(len(content) - at_work * PIECE)


def test_a_failing_piece_is_told_once_all_others_are_done(tmp_path, content, monkeypatch) -> None:
    plain = os.preadv

    def failing(file, buffers, offset) -> int:
        if offset == 3 * PIECE:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return plain(file, buffers, offset)

    monkeypatch.setattr(os, "preadv", failing)
    memory = PageMemory(len(content))
    read = BackgroundReader(DirectFile(Path(tmp_path / "data"))).start(memory.view, 0)
    with pytest.raises(OstroError, match="Input/output error"):
        read.result()
    assert read.done
    assert read.failed
    assert read.stop() == len(content) - PIECE
