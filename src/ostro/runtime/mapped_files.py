"""Mappings of memory: in large pages, and given back while a large file is read through once."""

import ctypes
import mmap
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path


def ask_for_large_pages(mapping: mmap.mmap) -> None:
    """Ask for pages of 2 MiB, before anything is read.

    The processor follows the memory to the end of a page by itself, and decoding gains up to a
    third (docs/log.md). A wish, which Linux grants to private memory, and to files from 6.16 on
    with ext4; elsewhere nothing happens.
    """
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            mapping.madvise(mmap.MADV_HUGEPAGE)


def release_mapped_pages(files: Collection[Path], proc: Path = Path("/proc")) -> None:
    """Take the pages of ``files`` out of this process; they are read again when they are touched.

    Pages that this process has written to would lose that, so it is for files that are only read.
    Where the system cannot say what is mapped (anything but Linux) nothing happens.
    """
    advice = getattr(mmap, "MADV_DONTNEED", None)
    wanted = {str(file.resolve()) for file in files}
    try:
        lines = (proc / "self" / "maps").read_text().splitlines()
    except OSError:
        return
    if advice is None:
        return
    library = ctypes.CDLL(None)
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in lines:
        # Address range, rights, offset, device, inode, and a path that may hold spaces.
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] in wanted:
            start, end = (int(number, 16) for number in fields[0].split("-"))
            library.madvise(start, end - start, advice)
