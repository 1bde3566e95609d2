"""What a machine allows: the slower of reading the bytes and computing the products.

Williams, Waterman and Patterson, Roofline: an insightful visual performance model, 2009. Bytes are
those of weights, and of keys and values, each read once a step; work is two operations for each
multiplied weight, and attention's. Both are counted in :mod:`ostro.config.arithmetic`. Activations
are left out: they stay in the caches.
"""

from dataclasses import dataclass

from ostro.config import Geometry, WeightType, kv_bytes_per_token
from ostro.config.arithmetic import attention_flops_per_token, flops_per_token, read_bytes
from ostro.config.plan import PREFILL_CHUNK


@dataclass(frozen=True)
class Roofs:
    """What was measured of a machine; None where it could not be."""

    bandwidth: float | None
    """Bytes that can be read a second."""
    arithmetic: float | None
    """Operations a second of a product of the model's own weight type."""

    def seconds(self, work: "Work") -> float | None:
        """The least seconds that ``work`` takes; None where a roof is not known."""
        if self.bandwidth is None or self.arithmetic is None:
            return None
        return max(work.bytes / self.bandwidth, work.flops / self.arithmetic)

    def limit(self, work: "Work") -> str | None:
        """Which roof is the lower one: ``bandwidth`` or ``arithmetic``."""
        if self.bandwidth is None or self.arithmetic is None:
            return None
        is_bandwidth = work.bytes / self.bandwidth >= work.flops / self.arithmetic
        return "bandwidth" if is_bandwidth else "arithmetic"


@dataclass(frozen=True)
class Work:
    """What is to be read and to be computed."""

    bytes: float
    flops: float


def prefill_work(
    geometry: Geometry, weights: WeightType, cache: WeightType, *, prompt: int, batch: int
) -> Work:
    """Reading ``batch`` prompts in steps of a chunk, and choosing one token after each."""
    chunks = -(-prompt * batch // PREFILL_CHUNK)
    rows = min(prompt * batch, PREFILL_CHUNK)
    # The keys and values before a chunk are read with it: on average half of the prompt's.
    kept = kv_bytes_per_token(geometry, cache) * seen_tokens(geometry, prompt // 2)
    layers = flops_per_token(geometry) - head_flops(geometry)
    attention = sum(
        attention_flops_per_token(geometry, position) for position in range(1, prompt + 1)
    )
    return Work(
        bytes=chunks * (read_bytes(geometry, weights, batch=rows) + kept),
        flops=batch * (prompt * layers + attention + head_flops(geometry)),
    )


def decode_work(
    geometry: Geometry, weights: WeightType, cache: WeightType, *, context: int, batch: int
) -> Work:
    """One token more for each of ``batch`` sequences with ``context`` tokens behind them."""
    kept = kv_bytes_per_token(geometry, cache) * seen_tokens(geometry, context)
    return Work(
        bytes=read_bytes(geometry, weights, batch=batch) + batch * kept,
        flops=batch * flops_per_token(geometry, context),
    )


def head_flops(geometry: Geometry) -> int:
    """Of the logits of one token."""
    return 2 * geometry.vocab_size * geometry.dim


def seen_tokens(geometry: Geometry, context: int) -> int:
    """How many of the tokens before it a token sees."""
    return min(context, geometry.sliding_window or context)
