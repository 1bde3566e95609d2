"""The native library: found beside this file, loaded, and checked, or the reason why not.

It has a plain C interface (``native/ostro.h``) and is called through ctypes, which releases the
interpreter's lock meanwhile. Nothing here imports torch.
"""

import ctypes
import platform
import sys
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.kernels.structures import (
    Adapters,
    AttentionLayer,
    ExpertsLayer,
    Matrix,
    Pages,
    Steering,
    Step,
)

ABI = 8
"""``OSTRO_ABI`` of ``native/ostro.h`` that this module was written for."""

_FILE_NAME = "libostro.dylib" if sys.platform == "darwin" else "libostro.so"
_PROCESSORS = ("x86_64", "AMD64")
_MEND = "install a C++ compiler (g++) and run `make native`, or install ostro again"

_Prototype = tuple[Any, tuple[Any, ...]]

# Name of each function of native/ostro.h: the type of its result, the types of its arguments.
_PROTOTYPES: tuple[tuple[str, _Prototype], ...] = (
    ("ostro_abi", (c_int32, ())),
    ("ostro_context_create", (c_void_p, (c_int32, c_char_p))),
    ("ostro_context_destroy", (None, (c_void_p,))),
    ("ostro_instruction_set", (c_char_p, (c_void_p,))),
    ("ostro_packed_bytes", (c_int64, (c_int32, c_int64, c_int64))),
    ("ostro_pack", (None, (c_void_p, c_int32, c_void_p, c_int64, c_int64, c_void_p))),
    ("ostro_read_rows", (None, (c_void_p, POINTER(Matrix), c_void_p, c_int64, c_void_p))),
    ("ostro_quantise", (c_int32, (c_void_p, c_int32, c_void_p, c_void_p, c_int64, c_int64))),
    ("ostro_checksum", (c_uint64, (c_void_p, c_void_p, c_int64))),
    ("ostro_linear", (c_int32, (c_void_p, POINTER(Matrix), c_int64, c_void_p, c_void_p))),
    (
        "ostro_attention_layer",
        (
            c_int32,
            (
                c_void_p,
                POINTER(AttentionLayer),
                POINTER(Step),
                POINTER(Pages),
                POINTER(Adapters),
                c_void_p,
            ),
        ),
    ),
    (
        "ostro_experts_layer",
        (
            c_int32,
            (
                c_void_p,
                POINTER(ExpertsLayer),
                c_int64,
                POINTER(Steering),
                POINTER(Adapters),
                c_void_p,
                c_void_p,
                c_void_p,
                c_void_p,
            ),
        ),
    ),
    (
        "ostro_route",
        (
            c_int32,
            (c_void_p, POINTER(ExpertsLayer), c_int64, POINTER(Steering), c_void_p, c_void_p),
        ),
    ),
    (
        "ostro_head",
        (c_int32, (c_void_p, c_void_p, c_float, POINTER(Matrix), c_int64, c_void_p, c_void_p)),
    ),
    (
        "ostro_rope_angles",
        (None, (c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_void_p)),
    ),
    (
        "ostro_summarise",
        (c_int32, (c_void_p, c_int64, c_void_p, c_float, POINTER(c_int64), POINTER(c_double))),
    ),
    ("ostro_largest", (c_int32, (c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p))),
)


@dataclass(frozen=True)
class NativeLibrary:
    """The loaded library. ``functions.ostro_...`` are its functions, with their types declared."""

    path: Path
    functions: ctypes.CDLL


@dataclass(frozen=True)
class NoLibrary:
    """Why the native kernels cannot run here."""

    reason: str
    """What is wrong, in a few words without a full stop."""
    remedy: str | None = None
    """What a person can do about it; None where nothing helps."""

    @property
    def notice(self) -> str:
        """One line for a person: what runs instead, why, and how to mend it."""
        mend = f"; {self.remedy}" if self.remedy else ""
        return f"the plain PyTorch kernels run, which are slower: {self.reason}{mend}"


def library_path() -> Path:
    """Where the build puts the library, in a checkout as in an installed package."""
    return Path(__file__).with_name(_FILE_NAME)


def load_library(path: Path | None = None) -> NativeLibrary | NoLibrary:
    """Load ``path`` (default: the library beside this file). Never raises for a bad file."""
    if path is None:
        if platform.machine() not in _PROCESSORS:
            return NoLibrary(f"there are no native ones for {platform.machine()}")
        path = library_path()
    if not path.exists():
        return NoLibrary(f"the native library is not built (no {path})", _MEND)
    try:
        functions = ctypes.CDLL(str(path))
    except OSError as error:
        return NoLibrary(f"the native library cannot be loaded ({_one_line(error)})", _MEND)
    return _checked(path, functions)


def _checked(path: Path, functions: ctypes.CDLL) -> NativeLibrary | NoLibrary:
    """The library with its prototypes declared, if it has the interface that is known here."""
    try:
        version = int(functions.ostro_abi())
    except AttributeError:
        return NoLibrary(f"{path} is not ostro's native library", _MEND)
    if version != ABI:
        reason = f"{path} has version {version} of the interface and ostro needs {ABI}"
        return NoLibrary(reason, _MEND)
    try:
        for name, (result, arguments) in _PROTOTYPES:
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError:
        return NoLibrary(f"{path} lacks {name}", _MEND)
    return NativeLibrary(path, functions)


def _one_line(error: OSError) -> str:
    return " ".join(str(error).split())
