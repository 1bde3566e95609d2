"""How the C library deals with memory that was freed."""

import ctypes
import sys

# glibc's names of mallopt's parameters, in malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_ON_HEAP = 32 << 20
"""Bytes of a block. The most that glibc allows: half of what an arena may have."""
_GROWTH = 64 << 20
"""Bytes by which the heap grows at least."""
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for what it needs next; False where glibc is not used.

    By default glibc gives large blocks back to the system, which clears their pages before they
    are used again: for a training step, whose tensors are as large each time, the same pages over
    and over. The price: what was once needed stays with the process.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # Another C library.
        return False
    chosen = {_MMAP_THRESHOLD: _LARGEST_ON_HEAP, _TRIM_THRESHOLD: _NEVER, _TOP_PAD: _GROWTH}
    taken = [mallopt(name, value) for name, value in chosen.items()]
    return all(taken)
