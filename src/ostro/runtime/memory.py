"""How much memory there is: the machine's, less what a control group forbids."""

import os
from collections.abc import Iterator
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
    """This machine's memory. Linux reads /proc and the control groups; others ask POSIX."""
    try:
        fields = _meminfo(proc / "meminfo")
        machine, available = fields["MemTotal"], fields["MemAvailable"]
    except (OSError, KeyError, ValueError):
        machine = available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    total = machine
    for group in _own_groups(proc, cgroup):
        limit = _number(group, ("memory.max", "memory.limit_in_bytes"))
        if limit is None or limit >= machine:
            continue
        used = _number(group, ("memory.current", "memory.usage_in_bytes")) or 0
        free = limit - max(0, used - _reclaimable(group))
        total, available = min(total, limit), max(0, min(available, free))
    return Memory(total=total, available=available)


def peak_resident_bytes() -> int:
    """The most memory this process has held at once, file pages included. 0 where unknown."""
    try:
        return _meminfo(Path("/proc/self/status"))["VmHWM"]
    except (OSError, KeyError, ValueError):
        return 0


def resident_bytes() -> int:
    """The memory this process holds now, file pages included. 0 where unknown."""
    try:
        return _meminfo(Path("/proc/self/status"))["VmRSS"]
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


def _own_groups(proc: Path, cgroup: Path) -> Iterator[Path]:
    """The folders of this process's memory control group and of all above it."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    own = [Path("/")]
    for line in lines:
        # Version 2 has the one line 0::/path; version 1 a line for each controller.
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (not controllers or "memory" in controllers.split(",")) and ".." not in path:
            own.append(Path(path))
    for root in (cgroup, cgroup / "memory"):
        folders = {root / str(part).lstrip("/") for path in own for part in (path, *path.parents)}
        yield from sorted(folders)


def _number(group: Path, names: tuple[str, ...]) -> int | None:
    for name in names:
        try:
            return int((group / name).read_text())
        except (OSError, ValueError):
            continue  # Another version of control groups, or "max".
    return None


def _reclaimable(group: Path) -> int:
    """Pages of files, which count as used but are given up as soon as a program asks."""
    try:
        lines = (group / "memory.stat").read_text().splitlines()
        fields = dict(line.split() for line in lines)
        return sum(int(fields.get(name, 0)) for name in ("inactive_file", "active_file"))
    except (OSError, ValueError):
        return 0
