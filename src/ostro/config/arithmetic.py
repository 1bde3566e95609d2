"""Exact counts: parameters, bytes and FLOPs that follow from a geometry."""

from dataclasses import dataclass

from ostro.config.geometry import Geometry
from ostro.config.weight_types import WEIGHT_TYPES, WeightType, fitting_type


@dataclass(frozen=True, kw_only=True)
class ParameterCounts:
    """Parameters of a whole model, by where they stand."""

    embedding: int
    attention: int
    router: int
    experts: int
    """All experts of all layers, or the feed-forward blocks of a dense model."""
    norms: int
    head: int
    """Zero where the head is tied to the embedding."""
    total: int
    active: int
    """The total less the experts that a token does not use, as Mixtral's "13 B" counts."""
    read_per_token: int
    """What decoding one token reads: active, less the embedding table unless it is the head."""


def count_parameters(geometry: Geometry) -> ParameterCounts:
    """Exact parameter counts of ``geometry``."""
    g = geometry
    one_expert = 3 * g.dim * g.ffn_dim
    attention = g.num_layers * 2 * g.dim * (g.query_dim + g.kv_dim)
    router = g.num_layers * g.num_experts * g.dim
    experts = g.num_layers * max(g.num_experts, 1) * one_expert
    norms = (2 * g.num_layers + 1) * g.dim
    embedding = g.vocab_size * g.dim
    head = 0 if g.tied_embeddings else embedding
    total = embedding + attention + router + experts + norms + head
    active = total - g.num_layers * (g.num_experts - g.top_k) * one_expert
    return ParameterCounts(
        embedding=embedding,
        attention=attention,
        router=router,
        experts=experts,
        norms=norms,
        head=head,
        total=total,
        active=active,
        read_per_token=active if g.tied_embeddings else active - embedding,
    )


@dataclass(frozen=True)
class MatrixGroup:
    """Matrices of one kind: how many rows there are over the whole model, and their width."""

    kind: str
    rows: int
    columns: int


def matrix_groups(geometry: Geometry) -> list[MatrixGroup]:
    """All weight matrices that may be quantised: everything but the router and the norms."""
    g = geometry
    layers, experts = g.num_layers, g.num_layers * max(g.num_experts, 1)
    return [
        MatrixGroup("embedding", g.vocab_size, g.dim),
        MatrixGroup("head", 0 if g.tied_embeddings else g.vocab_size, g.dim),
        MatrixGroup("attention", layers * (g.query_dim + 2 * g.kv_dim), g.dim),
        MatrixGroup("attention", layers * g.dim, g.query_dim),
        MatrixGroup("experts", experts * 2 * g.ffn_dim, g.dim),
        MatrixGroup("experts", experts * g.dim, g.ffn_dim),
    ]


def _group_bytes(group: MatrixGroup, kind: WeightType) -> int:
    return group.rows * fitting_type(kind, group.columns).row_bytes(group.columns)


def _exact_bytes(geometry: Geometry, kind: WeightType) -> int:
    """Router and norms: never quantised, so float32 beside quantised matrices."""
    counts = count_parameters(geometry)
    return (counts.router + counts.norms) * (
        kind if kind.is_dense else WEIGHT_TYPES["F32"]
    ).block_bytes


def weight_bytes(geometry: Geometry, kind: WeightType) -> int:
    """Bytes of all weights stored as ``kind``; the router and the norms are never quantised."""
    matrices = sum(_group_bytes(group, kind) for group in matrix_groups(geometry))
    return matrices + _exact_bytes(geometry, kind)


def expert_bytes(geometry: Geometry, kind: WeightType) -> int:
    """Bytes of one expert's gate, up and down, or of a dense layer's block."""
    experts = geometry.num_layers * max(geometry.num_experts, 1)
    groups = (group for group in matrix_groups(geometry) if group.kind == "experts")
    return sum(_group_bytes(group, kind) for group in groups) // experts


def read_bytes(geometry: Geometry, kind: WeightType, *, batch: int = 1) -> float:
    """Weight bytes that one decoding step over ``batch`` unrelated tokens has to read.

    With uniform, independent routing a step touches ``E (1 - (1 - K/E)^B)`` distinct experts.
    """
    g = geometry
    share = 1 - (1 - g.top_k / g.num_experts) ** batch if g.is_sparse else 1.0
    total = float(_exact_bytes(g, kind))
    for group in matrix_groups(g):
        if group.kind == "embedding" and not g.tied_embeddings:
            continue
        total += _group_bytes(group, kind) * (share if group.kind == "experts" else 1.0)
    return total


def kv_bytes_per_token(geometry: Geometry, kind: WeightType = WEIGHT_TYPES["F16"]) -> int:
    """Bytes of keys and values that one token leaves behind in all layers.

    ``kind`` is F32, F16, BF16, or Q8_0: 8 bits with a float32 scale for each head.
    """
    heads = 2 * geometry.num_layers * geometry.num_kv_heads
    if kind.is_dense:
        return heads * geometry.head_dim * kind.block_bytes
    return heads * (geometry.head_dim + WEIGHT_TYPES["F32"].block_bytes)


def attention_flops_per_token(geometry: Geometry, context: int) -> int:
    """FLOPs of scores and weighted values for one token that sees ``context`` tokens."""
    seen = min(context, geometry.sliding_window or context)
    return 4 * seen * geometry.query_dim * geometry.num_layers


def flops_per_token(geometry: Geometry, context: int = 0) -> int:
    """FLOPs of one token: two per multiplied weight, plus attention over ``context`` tokens."""
    counts = count_parameters(geometry)
    multiplied = counts.read_per_token - counts.norms
    return 2 * multiplied + attention_flops_per_token(geometry, context)
