"""The process in which one program runs: it confines itself, runs it, and tells how it went.

Started by :mod:`ostro.evaluation.code.sandbox` with an empty folder to be in, no environment, and a
job on standard input. It answers on what was standard output: a line when it is ready, with the
means that confine it, and a line when the program ran through or failed. Both begin with a word
from the job, which the program is not given.
"""

import ctypes
import gc
import json
import os
import resource
import sys
import types
from collections.abc import Mapping
from typing import Any

from ostro.evaluation.code.file_access import write_only_in
from ostro.evaluation.code.python_guard import guard
from ostro.evaluation.code.system_calls import deny_system_calls

_MOST_REASON = 200
_NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
_SET_PARENT_DEATH_SIGNAL, _KILL = 1, 9


def main() -> None:
    """Do the job on standard input."""
    job = json.loads(sys.stdin.buffer.read())
    channel = _take_channel()
    token = job["token"]
    guards = _confine(job["limits"])
    _tell(channel, token, {"guards": guards})
    _tell(channel, token, _run(job["program"]))


def _take_channel() -> int:
    """Where to answer; the three standard streams lead nowhere from now on."""
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    return channel


def _confine(limits: Mapping[str, int]) -> list[str]:
    """Give up all that the program is not to have; names the system's means that held."""
    folder = os.getcwd()
    guards = []
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_SET_PARENT_DEATH_SIGNAL, ctypes.c_long(_KILL))
        if libc.unshare(_NEW_USER_AND_NETWORK) == 0:
            guards.append("network namespace")
    _limit(limits)
    if write_only_in(folder):
        guards.append("landlock")
    if deny_system_calls():
        guards.append("seccomp")
    guard(folder)
    return guards


def _limit(limits: Mapping[str, int]) -> None:
    cpu, files = limits["cpu_seconds"], limits["open_files"]
    # One second more: the first signal tells what it was, the second ends whatever ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    if sys.platform != "darwin":  # There it cannot be set.
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"],) * 2)
    for kind, most in (
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_NPROC, 1),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _run(program: str) -> dict[str, Any]:
    # Some modules look up the one that a class was made in.
    module = types.ModuleType("program")
    sys.modules["program"] = module
    try:
        exec(compile(program, "<program>", "exec"), module.__dict__)
    except BaseException as error:  # SystemExit before the end of the tests is no success.
        kind, text = type(error).__name__, _text(error)
        del error
        gc.collect()  # Of a program that ran out of memory, before anything is written.
        return {"passed": False, "reason": f"{kind}: {text}"[:_MOST_REASON].rstrip(": ")}
    return {"passed": True, "reason": ""}


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error)[: 2 * _MOST_REASON].split())
    except BaseException:  # The program's own class may do anything.
        return ""


def _tell(channel: int, token: str, what: Mapping[str, Any]) -> None:
    data = f"\n{token} {json.dumps(what)}\n".encode()
    while data:
        data = data[os.write(channel, data) :]
