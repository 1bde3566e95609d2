"""A memory control group for one measurement, and a file's pages thrown out of the cache."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class NoMemoryGroup(Exception):
    """This system lets us make none; the message is why."""


@contextmanager
def memory_group(limit: int, root: Path = _ROOT) -> Iterator[Sequence[str]]:
    """Make a group limited to ``limit`` bytes, swap included where the kernel counts it.

    Gives the words to put before a command so that it runs in the group. The group is removed
    when the block ends; the processes in it must have ended.
    """
    name = f"ostro-benchmark-{os.getpid()}"
    second = (root / "cgroup.controllers").exists()
    group = (root if second else root / "memory") / name
    try:
        _make(group, limit, second=second)
    except OSError as error:
        message = f"no memory control group can be made in {group.parent}: {error}"
        raise NoMemoryGroup(message) from error
    try:
        yield ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
    finally:
        _remove(group)


def _make(group: Path, limit: int, *, second: bool) -> None:
    group.mkdir()
    try:
        for file, value in _limits(group, limit, second=second):
            (group / file).write_text(str(value))
    except OSError:
        _remove(group)
        raise


def _limits(group: Path, limit: int, *, second: bool) -> list[tuple[str, int]]:
    if second:
        return [("memory.max", limit), ("memory.swap.max", 0)]
    both = "memory.memsw.limit_in_bytes"
    swap = [(both, limit)] if (group / both).exists() else []
    return [("memory.limit_in_bytes", limit), *swap]


def _remove(group: Path) -> None:
    """A group can be removed once the kernel has buried its last process."""
    for _ in range(50):
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)


def forget_pages(*paths: Path) -> None:
    """Drop files from the page cache, or a group's reads of them would be paid by nobody."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
