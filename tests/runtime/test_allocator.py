import subprocess
import sys

import pytest

from ostro.runtime.allocator import keep_freed_memory

# What the process still holds of ten blocks of 20 MiB that were freed: a process of its own, since
# the setting holds for a whole process.
_HELD = """
import sys
import torch
from ostro.runtime.allocator import keep_freed_memory
from ostro.runtime.memory import resident_bytes

if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resident_bytes()
blocks = [torch.ones(5 << 20) for _ in range(10)]
del blocks
print(resident_bytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_what_was_freed_stays() -> None:
    def held(how: str) -> int:
        command = [sys.executable, "-c", _HELD, how]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(done.stdout)

    assert held("keep") > 150 << 20
    assert held("give back") < 50 << 20


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
