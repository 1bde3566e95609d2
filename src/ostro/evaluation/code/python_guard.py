"""What Python itself refuses to a program: network, processes, native code, writing elsewhere.

This works everywhere, and tells a program what it must not do. It is no wall: whoever finds a way
around Python's audit events is held by what the system denies, and nothing else.
"""

import os
import sys

_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "ctypes.",
    "pty.",
    "resource.",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.startfile",
    "os.kill",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "signal.pthread_kill",
    "os.chmod",
    "os.chown",
    "os.utime",
    "os.setxattr",
    "os.removexattr",
)
_ON_PATHS = ("os.remove", "os.rename", "os.rmdir", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard(folder: str) -> None:
    """Refuse it from now on, for good; ``folder`` is the one that may be written in."""
    inside = os.path.realpath(folder)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise PermissionError(f"the sandbox forbids {event}")
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING:
                require_inside(path, event)
        elif event in _ON_PATHS:
            for path in arguments:
                require_inside(path, event)

    def require_inside(path: object, event: str) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # A descriptor, which was opened under the same rules.
        real = os.path.realpath(os.fsdecode(path))
        if real != os.devnull and os.path.commonpath([inside, real]) != inside:
            raise PermissionError(f"the sandbox forbids {event} outside its folder")

    sys.addaudithook(refuse)
