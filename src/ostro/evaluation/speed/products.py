"""How many operations a second this machine's products reach: the roof of reading a prompt."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES
from ostro.kernels.library import NoLibrary, load_library
from ostro.kernels.linear import linear
from ostro.kernels.native import TYPE_NUMBERS, NativeContext
from ostro.kernels.quantise import NativeQuantiser
from ostro.kernels.structures import Matrix
from ostro.runtime.settings import Settings
from ostro.weights.quantise import WRITABLE_TYPES, dense_tensor, to_type

_ROWS, _WIDTH = 512, 2048
"""A chunk's rows, and a square matrix that stays in the caches."""
_SECONDS = 0.5


def product_rate(settings: Settings) -> float | None:
    """Operations a second of the kernels and the weight type of ``settings``; the best pass.

    A multiplication and an addition count as two. None on a device other than the CPU, and for a
    type that ostro cannot quantise to.
    """
    if settings.device.type != "cpu":
        return None
    if settings.kernels == "torch":
        weight = torch.randn(_WIDTH, _WIDTH).to(settings.dtype)
        rows = torch.randn(_ROWS, _WIDTH).to(settings.dtype)
        return _rate(lambda: linear(rows, weight))
    product = _native_product(settings)
    return None if product is None else _rate(product)


def _native_product(settings: Settings) -> Callable[[], Tensor] | None:
    kind, library = WEIGHT_TYPES[settings.type_name], load_library()
    if isinstance(library, NoLibrary) or kind.name not in WRITABLE_TYPES:
        return None
    context = NativeContext(library, settings.threads)
    dense = dense_tensor(torch.randn(_WIDTH, _WIDTH))
    stored = to_type(dense, kind, quantise=NativeQuantiser(context))
    packed = torch.empty(context.packed_bytes(kind.name, _WIDTH, _WIDTH), dtype=torch.uint8)
    context.pack(kind.name, stored.data.contiguous(), _WIDTH, _WIDTH, packed.data_ptr())
    matrix = Matrix(packed.data_ptr(), TYPE_NUMBERS[kind.name], _WIDTH, _WIDTH)
    rows = torch.randn(_ROWS, _WIDTH)

    def product() -> Tensor:
        assert packed.data_ptr() == matrix.data, "the matrix is read where it was packed"
        return context.linear(rows, matrix)

    return product


def _rate(product: Callable[[], Tensor]) -> float:
    product()
    best, stop = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < stop:
        start = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - start)
    return 2 * _ROWS * _WIDTH * _WIDTH / best
