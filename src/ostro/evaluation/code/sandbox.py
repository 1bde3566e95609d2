"""Programs that nobody has read, each run in a process of its own that can do little.

A program gets an empty folder, which is removed afterwards, no environment, no file of ours, and
streams that lead nowhere. It is killed with its whole process group when its time is over.

What holds on any Unix, by the kernel: processor time, time on the clock, memory, size of a file and
number of open files. On Linux on x86-64 and ARM also, by seccomp: no socket, no further process or
thread, no signal to others. Where the kernel has Landlock (from 6.2 on): nothing is written outside
the folder. Where user namespaces are permitted: no network device but a dead loopback. Python's own
audit hook refuses the same everywhere, which stops programs that do not try to get around it; on
macOS there is nothing else against network, processes and writing elsewhere, and memory is not
limited.

What is not guaranteed anywhere: that a program cannot *read* files that the user may read (it has
nowhere to send them), that it cannot write many small files into its folder within its time, or
that a program made to deceive cannot report a success: it shares its process with what reports.
It is no protection against an attack on the kernel itself.
"""

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ostro.errors import OstroError

Status = Literal["passed", "failed", "timed out"]

_ROOT = Path(__file__).parents[3]
_START = (
    "import sys; sys.path.insert(0, {root!r})\n"
    "from ostro.evaluation.code.child import main\n"
    "del sys.path[0]; main()"
)
_MOST_SAID = 1 << 16
_STARTING_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one program may use."""

    cpu_seconds: int = 10
    wall_seconds: float = 30.0
    memory_bytes: int = 512 << 20
    """Of address space, Python's own included."""
    file_bytes: int = 1 << 20
    """Of any one file."""
    open_files: int = 32


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    status: Status
    reason: str
    """Short, and empty for one that passed."""
    guards: tuple[str, ...] = ()
    """The system's means that confined it beyond limits and Python's own."""


def require_sandbox() -> None:
    """Refuse systems without the limits that it needs."""
    if os.name != "posix":
        raise OstroError(
            "generated programs are run under limits that only Linux and macOS have; "
            "measure code on one of them, or leave it out"
        )


def run(program: str, limits: Limits) -> Outcome:
    """Run a program to its end; it passed only if its last line was reached without an error."""
    require_sandbox()
    with tempfile.TemporaryDirectory(prefix="ostro-program-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _START.format(root=str(_ROOT))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        with process:
            try:
                return _watch(process, program, limits)
            finally:
                _kill_group(process)


def _watch(process: "subprocess.Popen[bytes]", program: str, limits: Limits) -> Outcome:
    assert process.stdin is not None
    assert process.stdout is not None
    token = secrets.token_hex(16)
    job = {"token": token, "program": program, "limits": asdict(limits)}
    said = _Said(process.stdout.fileno(), token)
    try:
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    except BrokenPipeError:
        pass  # It ended at once, which the next line finds out.
    ready = said.line(time.monotonic() + _STARTING_SECONDS)
    if ready is None:
        raise OstroError(f"the sandbox did not start: {_last_error(process)}")
    guards = tuple(ready["guards"])
    end = time.monotonic() + limits.wall_seconds
    told = said.line(end)
    if told is not None:
        return Outcome("passed" if told["passed"] else "failed", told["reason"], guards)
    if said.is_flooded:
        return Outcome("failed", "it wrote where it should not", guards)
    return _unsaid(process, end, limits, guards)


def _unsaid(
    process: "subprocess.Popen[bytes]", end: float, limits: Limits, guards: tuple[str, ...]
) -> Outcome:
    """What happened to a program of which nothing was heard."""
    if time.monotonic() >= end:
        return Outcome("timed out", f"over {limits.wall_seconds:g} s on the clock", guards)
    # It has ended, or has closed the way to us, after which nothing can be heard of it.
    _kill_group(process)
    code = process.wait()
    if code == -signal.SIGXCPU:
        return Outcome("timed out", f"over {limits.cpu_seconds} s of processor time", guards)
    if code < 0:
        return Outcome("failed", f"killed by {signal.Signals(-code).name}", guards)
    return Outcome("failed", f"ended before its tests did, with exit code {code}", guards)


class _Said:
    """The lines of a child that begin with its token. Whatever else is written is ignored."""

    def __init__(self, channel: int, token: str) -> None:
        self._channel, self._token = channel, f"{token} ".encode()
        self._data, self._read = b"", 0

    @property
    def is_flooded(self) -> bool:
        """Whether more was written than the child ever does."""
        return self._read > _MOST_SAID

    def line(self, end: float) -> dict[str, Any] | None:
        """The next of them; None if there is none until ``end`` or until the child has ended."""
        while True:
            *lines, self._data = self._data.split(b"\n")
            for number, line in enumerate(lines):
                if line.startswith(self._token):
                    self._data = b"\n".join([*lines[number + 1 :], self._data])
                    found: dict[str, Any] = json.loads(line[len(self._token) :])
                    return found
            if self.is_flooded or not self._more(end):
                return None

    def _more(self, end: float) -> bool:
        left = end - time.monotonic()
        if left <= 0 or not select.select([self._channel], [], [], left)[0]:
            return False
        data = os.read(self._channel, 4096)
        self._data += data
        self._read += len(data)
        return bool(data)


def _last_error(process: "subprocess.Popen[bytes]") -> str:
    _kill_group(process)
    assert process.stderr is not None
    lines = process.stderr.read().decode(errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else f"exit code {process.wait()}"


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End it and all that it left behind."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):  # So says macOS of one that has ended.
        # It leads its group and was not waited for: the number cannot have been given anew.
        os.killpg(process.pid, signal.SIGKILL)
