"""A plan: what a model will take and how fast it can go, before anything is loaded."""

from dataclasses import asdict, dataclass
from typing import Any

from ostro.config.arithmetic import (
    count_parameters,
    flops_per_token,
    kv_bytes_per_token,
    read_bytes,
    weight_bytes,
)
from ostro.config.geometry import Geometry
from ostro.config.weight_types import WeightType, cache_type
from ostro.errors import OstroError

# Activations, logits and the allocator's slack; measured on the demo and on tiny models.
_BASE_WORKSPACE = 64 << 20
# Rows that one step of prefill pushes through the model at once.
PREFILL_CHUNK = 512


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes are bytes, speeds tokens per second, bandwidth bytes per second."""

    model: str
    total_parameters: int
    active_parameters: int
    read_parameters_per_token: int
    stored_type: str
    compute_type: str
    """What the weights become in memory; the native kernels compute on most types as stored."""
    cache_type: str
    """What keys and values are kept in."""
    weight_bytes: int
    """On disk, in ``stored_type``."""
    resident_weight_bytes: int
    """In memory, in ``compute_type``."""
    prepared_bytes: int
    """On disk beside the weights: the same in the form that the native kernels map."""
    read_bytes_per_token: int
    context: int
    batch: int
    kv_bytes_per_token: int
    kv_bytes: int
    workspace_bytes: int
    required_bytes: int
    memory_bytes: int
    fits: bool
    flops_per_token: int
    read_bandwidth: float
    decode_tokens_per_second_ceiling: float
    """All ``batch`` sequences together: bandwidth over the weight bytes a step must read."""

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, for JSON."""
        return asdict(self)


def workspace_bytes(geometry: Geometry, batch: int) -> int:
    """Memory for activations: one prefill chunk, float32 logits, and a fixed slack."""
    g = geometry
    rows = max(PREFILL_CHUNK, batch)
    per_row = 4 * (6 * g.dim + 2 * g.query_dim + 6 * g.ffn_dim * max(g.top_k, 1))
    return _BASE_WORKSPACE + rows * per_row + 3 * 4 * batch * g.vocab_size


def make_plan(
    geometry: Geometry,
    *,
    model: str,
    stored: WeightType,
    compute: WeightType,
    memory_bytes: int,
    read_bandwidth: float,
    stored_bytes: int | None = None,
    cache: WeightType | None = None,
    context: int | None = None,
    batch: int = 1,
) -> Plan:
    """Plan ``batch`` sequences of ``context`` tokens each (default: the model's own limit).

    ``compute`` is the type in memory and ``cache`` that of keys and values (default: what
    :func:`cache_type` says). ``stored_bytes`` is the exact size on disk where it is known; else it
    follows from ``stored``.
    """
    limit = geometry.context_length
    context = limit if context is None else context
    if not 1 <= context <= limit:
        raise OstroError(f"context {context} is out of range; {model} reads 1 to {limit}")
    if batch < 1:
        raise OstroError(f"batch must be 1 or more, not {batch}")
    counts = count_parameters(geometry)
    weights = weight_bytes(geometry, stored) if stored_bytes is None else stored_bytes
    resident = weights if compute == stored else weight_bytes(geometry, compute)
    cache = cache_type(compute) if cache is None else cache
    kv = kv_bytes_per_token(geometry, cache)
    workspace = workspace_bytes(geometry, batch)
    required = resident + kv * context * batch + workspace
    read = read_bytes(geometry, compute, batch=batch)
    return Plan(
        model=model,
        total_parameters=counts.total,
        active_parameters=counts.active,
        read_parameters_per_token=counts.read_per_token,
        stored_type=stored.name,
        compute_type=compute.name,
        cache_type=cache.name,
        weight_bytes=weights,
        resident_weight_bytes=resident,
        prepared_bytes=resident,
        read_bytes_per_token=round(read_bytes(geometry, compute)),
        context=context,
        batch=batch,
        kv_bytes_per_token=kv,
        kv_bytes=kv * context * batch,
        workspace_bytes=workspace,
        required_bytes=required,
        memory_bytes=memory_bytes,
        fits=required <= memory_bytes,
        flops_per_token=flops_per_token(geometry, context),
        read_bandwidth=read_bandwidth,
        decode_tokens_per_second_ceiling=batch * read_bandwidth / read,
    )
