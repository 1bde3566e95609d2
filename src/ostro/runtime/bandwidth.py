"""Read bandwidth of this machine's memory: the bound on decoding, measured once and kept."""

import os
import platform
import time
from pathlib import Path

from ostro.runtime.measurements import measured_once

_PROBE_BYTES = 512 << 20
_PROBE_SECONDS = 1.0


def read_bandwidth(home: Path, threads: int) -> float:
    """Bytes per second that ``threads`` threads can read; from the cache in ``home`` if it has it.

    The first call on a machine takes about a second and leaves ``machine.json`` behind.
    """
    key = f"{platform.node()} {platform.machine()} {os.cpu_count()} cores, {threads} threads"
    return measured_once(home / "machine.json", key, lambda: probe_bandwidth(threads))


def probe_bandwidth(threads: int) -> float:
    """Measure by summing a tensor much larger than the caches; the best of the passes counts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        data = torch.ones(_PROBE_BYTES // 4, dtype=torch.float32)
        best, stop = float("inf"), time.perf_counter() + _PROBE_SECONDS
        while time.perf_counter() < stop:
            start = time.perf_counter()
            data.sum()
            best = min(best, time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return _PROBE_BYTES / best
