"""Pages of mapped files are given back, and read again when they are touched."""

import errno
import mmap
import sys
from pathlib import Path

import pytest
import torch

from ostro.runtime.mapped_files import ask_for_large_pages, release_mapped_pages

PAGE, PAGES = 4096, 512


def resident(path: Path) -> int:
    """Kilobytes of a mapped file that this process holds."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in lines[at:] if line.startswith("Rss:"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_pages_go_and_come_back(tmp_path: Path) -> None:
    path, other = tmp_path / "a name.bin", tmp_path / "other.bin"
    for file in (path, other):
        file.write_bytes(bytes(range(256)) * (PAGE // 256 * PAGES))
    mapped, kept = (
        torch.from_file(str(file), shared=False, size=PAGE * PAGES, dtype=torch.uint8)
        for file in (path, other)
    )
    total = int(mapped.sum())
    assert int(kept.sum()) == total
    assert resident(path) == resident(other) == PAGE * PAGES // 1024
    release_mapped_pages([path])
    assert resident(path) == 0
    assert resident(other) == PAGE * PAGES // 1024
    assert int(mapped.sum()) == total


def test_where_nothing_is_known_nothing_happens(tmp_path: Path) -> None:
    release_mapped_pages([tmp_path / "file"], proc=tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="the advice is Linux's")
def test_large_pages_are_a_wish(tmp_path: Path) -> None:
    class Refusing(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError(errno.EINVAL, "this system has none")

    path = tmp_path / "file"
    path.write_bytes(b"abcd" * PAGE)
    with path.open("rb") as file:
        for kind in (mmap.mmap, Refusing):
            mapping = kind(file.fileno(), 0, access=mmap.ACCESS_READ)
            ask_for_large_pages(mapping)
            assert mapping[:8] == b"abcdabcd"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_memory_comes_in_large_pages_where_the_system_has_them() -> None:
    size = 8 << 20
    memory = mmap.mmap(-1, size)
    ask_for_large_pages(memory)
    memory[:] = bytes(range(256)) * (size // 256)
    switch = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not switch.exists() or "[never]" in switch.read_text():
        pytest.skip("this system gives none")
    smaps = Path("/proc/self/smaps").read_text()
    assert " hg " in smaps or "hg\n" in smaps  # VmFlags: some mapping was advised.
