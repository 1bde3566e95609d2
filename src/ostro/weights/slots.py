"""Slots: the tensors of a model one by one, named apart from any layout.

A slot is the smallest piece that some layout stores on its own: one matrix of one expert. The
layouts say where each slot lies; reading, writing and converting go from slot to slot.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from ostro.config import Geometry

Kind = Literal[
    "embedding",
    "norm",
    "head",
    "attention_norm",
    "query",
    "key",
    "value",
    "output",
    "feed_forward_norm",
    "router",
    "gate",
    "up",
    "down",
]

# Never quantised, and never narrowed unless that loses nothing.
EXACT_KINDS: frozenset[Kind] = frozenset(("norm", "attention_norm", "feed_forward_norm", "router"))


class Slot(NamedTuple):
    """One tensor. ``layer`` and ``expert`` are -1 where they do not apply."""

    kind: Kind
    layer: int = -1
    expert: int = -1

    def __str__(self) -> str:
        place = f"layer {self.layer} " if self.layer >= 0 else ""
        expert = f" of expert {self.expert}" if self.expert >= 0 else ""
        return f"{place}{self.kind}{expert}"


def slots(geometry: Geometry) -> Iterator[Slot]:
    """All slots of a model, in the order of the forward pass."""
    yield Slot("embedding")
    for layer in range(geometry.num_layers):
        yield Slot("attention_norm", layer)
        for kind in ("query", "key", "value", "output"):
            yield Slot(kind, layer)
        yield Slot("feed_forward_norm", layer)
        if geometry.is_sparse:
            yield Slot("router", layer)
        for expert in range(geometry.num_experts) if geometry.is_sparse else (-1,):
            yield Slot("gate", layer, expert)
            yield Slot("up", layer, expert)
            yield Slot("down", layer, expert)
    yield Slot("norm")
    if not geometry.tied_embeddings:
        yield Slot("head")


def slot_shape(geometry: Geometry, kind: Kind) -> tuple[int, ...]:
    """The shape of a slot, ``[out, in]`` for matrices."""
    g = geometry
    match kind:
        case "embedding" | "head":
            return (g.vocab_size, g.dim)
        case "norm" | "attention_norm" | "feed_forward_norm":
            return (g.dim,)
        case "query":
            return (g.query_dim, g.dim)
        case "key" | "value":
            return (g.kv_dim, g.dim)
        case "output":
            return (g.dim, g.query_dim)
        case "router":
            return (g.num_experts, g.dim)
        case "gate" | "up":
            return (g.ffn_dim, g.dim)
        case "down":
            return (g.dim, g.ffn_dim)
