"""Read bandwidth of this machine's memory: the bound on decoding, measured once and kept."""

import json
import math
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

from ostro.errors import OstroError
from ostro.runtime.files import whole_file

_PROBE_BYTES = 512 << 20
_PROBE_SECONDS = 1.0


def read_bandwidth(home: Path, threads: int) -> float:
    """Bytes per second that ``threads`` threads can read; from the cache in ``home`` if it has it.

    The first call on a machine takes about a second and leaves ``machine.json`` behind.
    """
    cache = home / "machine.json"
    key = f"{platform.node()} {platform.machine()} {os.cpu_count()} cores, {threads} threads"
    known = _load(cache)
    if key not in known:
        known[key] = probe_bandwidth(threads)
        # Where the folder cannot be written, the next call measures again.
        with suppress(OstroError), whole_file(cache) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n")
    return known[key]


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


def _load(cache: Path) -> dict[str, float]:
    """The kept measurements; a damaged cache counts as none, since it can be measured again."""
    try:
        entries = json.loads(cache.read_text())
        speeds = {str(key): float(value) for key, value in entries.items()}
        return {key: speed for key, speed in speeds.items() if 0 < speed < math.inf}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
