"""Reads that go past the system's page cache, into memory that the caller keeps."""

import ctypes
import errno
import mmap
import os
from pathlib import Path

from ostro.errors import OstroError
from ostro.runtime.mapped_files import ask_for_large_pages

ALIGNMENT = 4096
"""What offsets, sizes and addresses of direct reads are multiples of."""


class DirectFile:
    """A file that is read straight into memory. Safe to use from several threads.

    Where the file system has no direct reads, plain ones are made, and the system is told at once
    that their pages are not wanted again: they would push the caller's own memory out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
        direct = getattr(os, "O_DIRECT", 0)
        self.is_direct = bool(direct)
        try:
            self._file = os.open(path, flags | direct)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise OstroError(f"cannot read {path}: {error.strerror}") from error
            self._file, self.is_direct = os.open(path, flags), False

    def close(self) -> None:
        """Close the file; reads that come later fail."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def read_into(self, memory: memoryview, offset: int) -> None:
        """Fill ``memory`` from ``offset`` on; all three of them aligned."""
        done = 0
        while done < len(memory):
            try:
                count = os.preadv(self._file, [memory[done:]], offset + done)
            except OSError as error:
                raise OstroError(
                    f"reading {self.path} failed ({error.strerror}); is its disk still there?"
                ) from error
            if count == 0:
                raise OstroError(
                    f"{self.path} ends at {offset + done} bytes, before the weights do; "
                    "it was changed while it was in use: start again"
                )
            # A direct read may stop short, but the next one has to begin at a whole block.
            done += count if count == len(memory) - done else count // ALIGNMENT * ALIGNMENT
        if not self.is_direct and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, offset, len(memory), os.POSIX_FADV_DONTNEED)


class PageMemory:
    """Memory of whole pages, zeroed, which the system hands out as it is first written."""

    def __init__(self, size: int) -> None:
        # Private: Linux gives large pages to such memory, and a forked process gets a copy.
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._map = mmap.mmap(-1, max(-(-size // ALIGNMENT) * ALIGNMENT, ALIGNMENT), flags=private)
        ask_for_large_pages(self._map)
        self.view = memoryview(self._map)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
