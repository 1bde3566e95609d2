"""System calls that a process denies itself for good: Linux's seccomp, without privileges.

What is denied fails with "operation not permitted". It covers what resource limits cannot: sockets,
new processes and threads, signals to others, attributes of files, and objects that outlive the
process. The numbers are those of Linux's ``unistd.h``.
"""

import ctypes
import platform
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _FAIL, _NOT_PERMITTED = 0x7FFF0000, 0x00050000, 1
_NUMBER_AT, _MACHINE_AT = 0, 4
_X32 = 0x40000000
"""From here on x86-64 has a second set of numbers for the same calls."""


@dataclass(frozen=True)
class _Machine:
    audit_number: int
    denied: Sequence[int]


# Those with the same number on all machines: io_uring, pidfd, clone3, fchmodat2.
_EVERYWHERE = (424, 425, 434, 435, 438, 452)
_MACHINES = (
    (
        "x86_64",
        _Machine(
            0xC000003E,
            (
                *(56, 57, 58, 59, 322),  # clone, fork, vfork, execve, execveat
                *(41, 53),  # socket, socketpair
                *(62, 129, 200, 234, 297),  # kill, tkill and kin
                *(101, 310, 311),  # ptrace, process_vm_readv and _writev
                *(160, 302),  # setrlimit, prlimit64
                *(165, 166, 272, 308),  # mount, umount2, unshare, setns
                *(248, 249, 250, 298, 321, 323),  # keys, perf, bpf, userfaultfd
                *(29, 64, 68, 240),  # shmget, semget, msgget, mq_open
                *(90, 91, 92, 93, 94, 260, 268),  # chmod, chown and kin
                *(132, 235, 261, 280),  # utime and kin
                *(188, 189, 190, 197, 198, 199),  # setxattr, removexattr and kin
            ),
        ),
    ),
    (
        "aarch64",
        _Machine(
            0xC00000B7,
            (
                *(220, 221, 281, 198, 199),
                *(129, 130, 131, 138, 240, 117, 270, 271),
                *(164, 261, 39, 40, 97, 268),
                *(217, 218, 219, 241, 280, 282),
                *(180, 186, 190, 194),
                *(52, 53, 54, 55, 88),
                *(5, 6, 7, 14, 15, 16),
            ),
        ),
    ),
)


def deny_system_calls() -> bool:
    """Deny them to this process from now on; False where the system has no such means."""
    machine = dict(_MACHINES).get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    program = b"".join(_program(machine))
    buffer = ctypes.create_string_buffer(program)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    given = Program(len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_long(0)
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, ctypes.c_long(1), zero, zero, zero) != 0:
        return False
    return bool(libc.prctl(_SET_SECCOMP, ctypes.c_long(_FILTER), ctypes.byref(given)) == 0)


def _program(machine: _Machine) -> list[bytes]:
    """The filter in BPF; each test skips one instruction where it does not hold."""
    deny = _step(_RETURN, _FAIL | _NOT_PERMITTED)
    lines = [_step(_LOAD, _MACHINE_AT), _step(_IF_EQUAL, machine.audit_number, yes=1), deny]
    lines += [_step(_LOAD, _NUMBER_AT), _step(_IF_AT_LEAST, _X32, no=1), deny]
    for number in (*machine.denied, *_EVERYWHERE):
        lines += [_step(_IF_EQUAL, number, no=1), deny]
    return [*lines, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
