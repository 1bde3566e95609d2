"""A training step's whole sequences: what attention sees where nothing is remembered."""

from collections.abc import Sequence

from torch import Tensor

from ostro.kernels.dispatch import Kernels
from ostro.kernels.native import NativeStep
from ostro.kernels.structures import Pages


class Pack:
    """Sequences that stand one after another, as a :class:`~ostro.model.cache.KVCache`.

    A layer's keys and values live until the layer has attended. A layer may be computed twice, as
    it is when its activations are not kept for the backward pass.
    """

    def __init__(self, kernels: Kernels, lengths: Sequence[int], window: int | None) -> None:
        """``lengths`` are the sequences' rows, in order."""
        self._kernels, self._lengths, self._window = kernels, tuple(lengths), window
        self._kept: tuple[Tensor, Tensor] | None = None

    def append(self, layer: int, k_TNd: Tensor, v_TNd: Tensor) -> None:
        """Keep this layer's keys and values."""
        self._kept = (k_TNd, v_TNd)

    def attend(self, layer: int, q_THd: Tensor) -> Tensor:
        """What the queries gather, each from its own sequence: ``[T, H, d]``."""
        assert self._kept is not None, "attend before append"
        (k_TNd, v_TNd), self._kept = self._kept, None
        return self._kernels.packed_attention(q_THd, k_TNd, v_TNd, self._lengths, self._window)

    def native_step(self, cos: Tensor, sin: Tensor) -> NativeStep:
        """Packed weights cannot be trained."""
        raise NotImplementedError("the native kernels have no backward pass")

    def pages(self, layer: int) -> Pages:
        """Packed weights cannot be trained."""
        raise NotImplementedError("the native kernels have no backward pass")
