"""Numbers into quantised blocks: the native search where it is built, else the plain twin."""

from typing import Protocol

import torch
from torch import Tensor

from ostro.config import WeightType
from ostro.kernels.library import NoLibrary, load_library
from ostro.kernels.native import NativeContext
from ostro.kernels.quantise_twin import UnstorableError, quantise_twin

_UNSTORABLE = 3  # OSTRO_QUANTISE_UNSTORABLE


class Quantiser(Protocol):
    """Something that quantises."""

    def __call__(self, numbers: Tensor, kind: WeightType) -> Tensor:
        """float32 ``[..., C]`` as uint8 ``[..., bytes of a row]``; C must be whole blocks.

        NaN, infinity and numbers beyond 65504, the largest scale, are an UnstorableError.
        """
        ...


class NativeQuantiser:
    """The C++ search; its bytes do not depend on the number of threads."""

    def __init__(self, context: NativeContext) -> None:
        self._context = context

    def __call__(self, numbers: Tensor, kind: WeightType) -> Tensor:
        """See :class:`Quantiser`."""
        source = numbers.to(device="cpu", dtype=torch.float32).contiguous()
        shape = (*source.shape[:-1], kind.row_bytes(source.shape[-1]))
        target = torch.empty(shape, dtype=torch.uint8, device="cpu")
        code = self._context.quantise(kind.name, source, target)
        if code == _UNSTORABLE:
            raise UnstorableError
        assert code == 0, f"ostro_quantise said {code}"
        return target


def open_quantiser(threads: int) -> tuple[Quantiser, NoLibrary | None]:
    """The native quantiser, or the twin and why there is no library."""
    library = load_library()
    if isinstance(library, NoLibrary):
        return quantise_twin, library
    return NativeQuantiser(NativeContext(library, threads)), None
