"""Reads of a file on threads of their own, in pieces: what nobody wants any more stops early."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

from ostro.runtime.direct_reads import DirectFile

# Several reads at once keep a disk busy; a piece is what a cancelled read still costs.
_READERS = 4
_PIECE = 1 << 20


class BackgroundRead:
    """One read under way."""

    def __init__(
        self, readers: ThreadPoolExecutor, file: DirectFile, memory: memoryview, offset: int
    ) -> None:
        self._file, self._stopped = file, threading.Event()
        self._pieces: list[Future[int]] = [
            readers.submit(self._read, memory[start : start + _PIECE], offset + start)
            for start in range(0, len(memory), _PIECE)
        ]

    def _read(self, memory: memoryview, offset: int) -> int:
        if self._stopped.is_set():
            return 0
        self._file.read_into(memory, offset)
        return len(memory)

    @property
    def done(self) -> bool:
        """Whether nothing of it is under way any more."""
        return all(piece.done() for piece in self._pieces)

    @property
    def failed(self) -> bool:
        """Whether a piece of it failed; only when done."""
        return any(piece.exception() is not None for piece in self._pieces)

    def result(self) -> None:
        """Wait for all of it.

        Raises:
            OstroError: a piece failed. Nothing is written to the memory any more then either.

        """
        wait(self._pieces)
        for piece in self._pieces:
            piece.result()

    def stop(self) -> int:
        """Wait for the pieces that are being read, leave out the others; bytes that were read."""
        self._stopped.set()
        wait(self._pieces)
        return sum(piece.result() for piece in self._pieces if piece.exception() is None)


class BackgroundReader:
    """Threads that read one file."""

    def __init__(self, file: DirectFile) -> None:
        self._file = file
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ostro-reader")

    def start(self, memory: memoryview, offset: int) -> BackgroundRead:
        """Begin to fill ``memory`` from ``offset`` on; all three of them aligned."""
        return BackgroundRead(self._readers, self._file, memory, offset)
