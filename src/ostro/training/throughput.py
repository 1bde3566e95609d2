"""Tokens per second, and how much of what the device can do goes into the model."""

import time
from collections.abc import Sequence

import torch

from ostro.config import Geometry, attention_flops_per_token, flops_per_token
from ostro.data.batch import Sample
from ostro.runtime.memory import peak_resident_bytes
from ostro.training.ranks import Ranks

_BACKWARD = 2  # Times the forward pass: gradients of the rows, and of the weights.
_PROBE = 1024
_PROBE_SECONDS = 0.3


class Throughput:
    """Counts between two lines of the log."""

    def __init__(
        self, geometry: Geometry, dtype: torch.dtype, ranks: Ranks, *, frozen: bool
    ) -> None:
        """``frozen`` weights, as beside an adapter, have no gradients to be computed."""
        self._geometry, self._ranks, self._device = geometry, ranks, ranks.device
        self._passes = 1 + (_BACKWARD - 1 if frozen else _BACKWARD)
        self._peak = peak_flops(ranks.device, dtype)
        self._begin()

    def count(self, samples: Sequence[Sample]) -> None:
        """These were learned from."""
        for sample in samples:
            rows = len(sample.tokens_T)
            # A token sees those before it and itself: half of its sequence, on average.
            seen = sum(length * (length + 1) / 2 for length in sample.lengths) / rows
            flops = flops_per_token(self._geometry)
            flops += attention_flops_per_token(self._geometry, round(seen))
            self._tokens += rows
            self._flops += rows * flops * self._passes

    def report(self) -> dict[str, float]:
        """``tokens_per_second``, ``mfu`` and ``memory`` in bytes at its peak; begins anew.

        ``mfu`` is the model FLOPs utilisation (Chowdhery et al., 2022) on active FLOPs: recomputed
        activations and experts that a token does not use count for nothing.
        """
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        seconds = max(time.perf_counter() - self._since, 1e-9)
        # A mean over ranks, each beside its own peak.
        whole = self._ranks.sum({"tokens": self._tokens, "share": self._flops / self._peak})
        found = {
            "tokens_per_second": round(whole["tokens"] / seconds, 1),
            "mfu": round(whole["share"] / self._ranks.count / seconds, 4),
            "memory": float(_peak_memory(self._device)),
        }
        self._begin()
        return found

    def _begin(self) -> None:
        self._tokens, self._flops, self._since = 0, 0.0, time.perf_counter()


def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """FLOPs a second of a large square product here and now, the best of a few.

    Measured and not looked up: a shared CPU has no other peak, and a GPU is compared with what its
    own library reaches.
    """
    a = torch.randn(_PROBE, _PROBE, device=device).to(dtype)
    best, until = 0.0, time.perf_counter() + _PROBE_SECONDS
    while not best or time.perf_counter() < until:
        began = time.perf_counter()
        torch.mm(a, a)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, 2 * _PROBE**3 / (time.perf_counter() - began))
    return best


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_resident_bytes()
