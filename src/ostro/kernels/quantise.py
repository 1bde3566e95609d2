"""Numbers into quantised blocks: the native search where it is built, else the plain twin."""

import ctypes
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from ostro.config import WeightType
from ostro.kernels.quantise_twin import TWIN_TYPES, UnstorableError, quantise_twin

# GGUF's numbers of the types, by which the library knows them.
_NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        "Q4_0": 2,
        "Q4_1": 3,
        "Q5_0": 6,
        "Q5_1": 7,
        "Q8_0": 8,
        "Q2_K": 10,
        "Q3_K": 11,
        "Q4_K": 12,
        "Q5_K": 13,
        "Q6_K": 14,
        "IQ4_NL": 20,
    }
)
QUANTISABLE_TYPES = tuple(_NUMBERS)
_UNSTORABLE = 3  # OSTRO_QUANTISE_UNSTORABLE

assert set(TWIN_TYPES) == set(QUANTISABLE_TYPES)


class Quantiser(Protocol):
    """Something that quantises."""

    def __call__(self, numbers: Tensor, kind: WeightType) -> Tensor:
        """float32 ``[..., C]`` as uint8 ``[..., bytes of a row]``; C must be whole blocks.

        NaN, infinity and numbers beyond 65504, the largest scale, are an UnstorableError.
        """
        ...


class NativeQuantiser:
    """The C++ search on ``threads`` threads; the bytes do not depend on how many they are."""

    def __init__(self, library: ctypes.CDLL, threads: int) -> None:
        self._quantise = library.ostro_quantise
        self._quantise.restype = ctypes.c_int32
        self._quantise.argtypes = [
            ctypes.c_void_p,
            ctypes.c_int32,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_int64,
        ]
        create, destroy = library.ostro_context_create, library.ostro_context_destroy
        create.restype, create.argtypes = ctypes.c_void_p, [ctypes.c_int32]
        destroy.restype, destroy.argtypes = None, [ctypes.c_void_p]
        self._context = create(threads)
        if not self._context:
            raise MemoryError("no memory for the native kernels")
        weakref.finalize(self, destroy, self._context)

    def __call__(self, numbers: Tensor, kind: WeightType) -> Tensor:
        """See :class:`Quantiser`."""
        source = numbers.to(device="cpu", dtype=torch.float32).contiguous()
        columns = source.shape[-1]
        shape = (*source.shape[:-1], kind.row_bytes(columns))
        target = torch.empty(shape, dtype=torch.uint8, device="cpu")
        rows = source.numel() // columns
        number = _NUMBERS[kind.name]
        code = self._quantise(
            self._context, number, source.data_ptr(), target.data_ptr(), rows, columns
        )
        if code == _UNSTORABLE:
            raise UnstorableError
        assert code == 0, f"ostro_quantise said {code}"
        return target


def open_quantiser(threads: int) -> Quantiser:
    """The native quantiser if the library is here, else the twin."""
    suffix = "dylib" if sys.platform == "darwin" else "so"
    path = Path(__file__).with_name(f"libostro.{suffix}")
    try:
        return NativeQuantiser(ctypes.CDLL(str(path)), threads)
    except (OSError, AttributeError):  # Not built, or built from older sources.
        return quantise_twin
