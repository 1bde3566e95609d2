"""Pages of mapped files are given back, and read again when they are touched."""

import errno
import mmap
import re
import sys
from pathlib import Path

import pytest
import torch

from ostro.runtime.direct_reads import PageMemory
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
def test_page_memory_may_have_large_pages() -> None:
    """Advised, and not shared: shared memory gets none as systems are set up."""
    switch = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not switch.exists():
        pytest.skip("this system has none")
    memory = PageMemory(8 << 20)
    flags = flags_at(memory.address)
    assert "hg" in flags
    assert "sh" not in flags


def flags_at(address: int) -> list[str]:
    """What the system says about the mapping that holds ``address``."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
        if inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError("no such mapping")
