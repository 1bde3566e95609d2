"""How fast a disk is read: the bound where experts stay on it."""

import os
import random
import time
from pathlib import Path

from ostro.runtime.direct_reads import DirectFile, PageMemory
from ostro.runtime.measurements import measured_once

_BLOCK = 32 << 20
_SECONDS = 0.5


def disk_bandwidth(home: Path, file: Path) -> float | None:
    """Bytes per second of large direct reads from the disk of ``file``; None if it is too small.

    Measured once a disk, in half a second, and kept in ``disks.json`` in ``home``.
    """
    if file.stat().st_size < 2 * _BLOCK:
        return None
    key = f"device {os.stat(file).st_dev}"
    return measured_once(home / "disks.json", key, lambda: probe_disk(file))


def probe_disk(file: Path) -> float:
    """Read blocks of 32 MiB, in no order, for half a second."""
    blocks = file.stat().st_size // _BLOCK
    order = random.Random(0).sample(range(blocks), blocks)
    memory, reader = PageMemory(_BLOCK), DirectFile(file)
    done, start = 0, time.perf_counter()
    try:
        while done == 0 or time.perf_counter() - start < _SECONDS:
            reader.read_into(memory.view, order[done % blocks] * _BLOCK)
            done += 1
    finally:
        reader.close()
    return done * _BLOCK / (time.perf_counter() - start)
