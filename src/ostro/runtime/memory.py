"""How much memory there is: the machine's, less what a control group forbids."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Bytes of main memory."""

    total: int
    """What the machine has, or the control group's limit where that is lower."""
    available: int
    """What a new program could take without swapping."""


def read_memory(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> Memory:
    """This machine's memory. Linux reads /proc and the control group; others ask POSIX."""
    try:
        fields = _meminfo(proc / "meminfo")
        total, available = fields["MemTotal"], fields["MemAvailable"]
    except (OSError, KeyError, ValueError):
        total = available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup_number(cgroup, ("memory.max", "memory/memory.limit_in_bytes"))
    if limit is not None and limit < total:
        used = _cgroup_number(cgroup, ("memory.current", "memory/memory.usage_in_bytes")) or 0
        return Memory(total=limit, available=max(0, min(available, limit - used)))
    return Memory(total=total, available=available)


def peak_resident_bytes() -> int:
    """The most memory this process has held at once, file pages included. 0 where unknown."""
    try:
        return _meminfo(Path("/proc/self/status"))["VmHWM"]
    except (OSError, KeyError, ValueError):
        return 0


def _meminfo(path: Path) -> dict[str, int]:
    fields = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB":
            fields[name] = int(words[0]) * 1024
    return fields


def _cgroup_number(root: Path, names: tuple[str, ...]) -> int | None:
    for name in names:
        try:
            return int((root / name).read_text())
        except (OSError, ValueError):
            continue  # Another version of control groups, or "max".
    return None
