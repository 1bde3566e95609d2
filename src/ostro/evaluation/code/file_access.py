"""Writing allowed in one folder alone: Linux's Landlock, without privileges.

A process that called :func:`write_only_in` makes, changes and removes plain files in its folder
and nothing anywhere else; it makes no folders, so that no tree can grow. It may still read what it
could read before. The constants are those of ``landlock.h``.
"""

import ctypes
import os
import struct
import sys

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_SET_NO_NEW_PRIVILEGES = 38
_WRITE_FILE, _REMOVE_FILE, _MAKE_FILE, _TRUNCATE = 1 << 1, 1 << 5, 1 << 8, 1 << 14
_IN_FOLDER = _WRITE_FILE | _REMOVE_FILE | _MAKE_FILE | _TRUNCATE
# To remove (4, 5) and make (6 to 12) all kinds, move between folders (13), cut short (14).
_GOVERNED = _WRITE_FILE | sum(1 << bit for bit in range(4, 15))


def write_only_in(folder: str) -> bool:
    """Restrict this process to it, and to ``/dev/null``; False where there is no Landlock."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = _call(libc, _CREATE, None, 0, 1)
    if version < 3:  # Earlier ones let any file be cut short.
        return False
    rules = _call(libc, _CREATE, struct.pack("=Q", _GOVERNED), 8, 0)
    if rules < 0:
        return False
    try:
        allowed = ((folder, _IN_FOLDER), (os.devnull, _WRITE_FILE | _TRUNCATE))
        done = all(_allow(libc, rules, path, wanted) for path, wanted in allowed)
        zero, one = ctypes.c_long(0), ctypes.c_long(1)
        done = done and libc.prctl(_SET_NO_NEW_PRIVILEGES, one, zero, zero, zero) == 0
        return done and _call(libc, _RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, kinds: int) -> bool:
    beneath = 1
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", kinds, place)
        return _call(libc, _ADD_RULE, rules, beneath, rule, 0) == 0
    finally:
        os.close(place)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(libc.syscall(ctypes.c_long(number), *given))
