"""From prepared weights to a model whose layers run on the native kernels."""

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from ostro.kernels.native import ExpertArray, NativeContext, PackedExperts
from ostro.kernels.structures import AttentionLayer, Expert, ExpertsLayer
from ostro.model import Mixtral
from ostro.model.packed import PackedAttention, PackedEnds, PackedFeedForward
from ostro.weights.checkpoint import Checkpoint, check_finite
from ostro.weights.expert_pool import ExpertPool
from ostro.weights.prepared import PreparedWeights, RecordKey
from ostro.weights.routed_experts import RoutedExperts
from ostro.weights.slots import Slot

# Models narrower than this quantise what goes into gate and up in two parts: see docs/decisions.
_PRECISE_BELOW = 2048


def packed_model(
    checkpoint: Checkpoint,
    weights: PreparedWeights,
    context: NativeContext,
    cache_type: str,
    pool: ExpertPool | None = None,
) -> Mixtral:
    """Build the model. Experts are read when a token first chooses them, all else is read here.

    With a ``pool``, experts live there, and come and go.
    """
    g = checkpoint.geometry
    with torch.device("meta"):
        model = Mixtral(g, context.kernels(), torch.float32).requires_grad_(False)
    embedding = weights.matrices(RecordKey("embedding"))[0]
    head = embedding if g.tied_embeddings else weights.matrices(RecordKey("head"))[0]
    norm_D = _exact(checkpoint, Slot("norm"))
    model.packed = PackedEnds(context, embedding, head, norm_D, g.norm_eps, cache_type)
    mixtures = [_mixture(checkpoint, weights, context, layer) for layer in range(g.num_layers)]
    layers = [mixture.experts for mixture in mixtures]
    supply = None if pool is None else RoutedExperts(context, pool, layers)
    for block, mixture in zip(model.blocks(), mixtures, strict=True):
        block.packed_attention = _attention(checkpoint, weights, context, mixture.layer)
        block.packed_feed_forward = replace(mixture, supply=supply)
    return model.eval()


def _attention(
    checkpoint: Checkpoint, weights: PreparedWeights, context: NativeContext, layer: int
) -> PackedAttention:
    g = checkpoint.geometry
    norm_D = _exact(checkpoint, Slot("attention_norm", layer))
    struct = AttentionLayer(
        *weights.matrices(RecordKey("attention", layer)),
        norm_D.data_ptr(),
        g.norm_eps,
        g.num_heads,
        g.num_kv_heads,
        g.head_dim,
        g.sliding_window or 0,
    )
    return PackedAttention(context, layer, struct, norm_D)


def _mixture(
    checkpoint: Checkpoint, weights: PreparedWeights, context: NativeContext, layer: int
) -> PackedFeedForward:
    g = checkpoint.geometry
    count = max(g.num_experts, 1)
    experts = (Expert * count)()
    for number in range(count):
        key = RecordKey("expert", layer, number)
        experts[number] = Expert(*weights.matrices_at(key, None))
    norm_D = _exact(checkpoint, Slot("feed_forward_norm", layer))
    router = _packed_router(checkpoint, context, layer) if g.is_sparse else None
    struct = ExpertsLayer(
        norm_D.data_ptr(),
        None if router is None else router.data_ptr(),
        ctypes.cast(experts, ctypes.POINTER(Expert)),
        g.norm_eps,
        g.dim,
        g.ffn_dim,
        count,
        max(g.top_k, 1),
        g.dim < _PRECISE_BELOW,
    )
    fetch = partial(_fetch, weights, layer, experts)
    return PackedFeedForward(
        context, layer, PackedExperts(struct, experts, fetch), (norm_D, router)
    )


def _fetch(
    weights: PreparedWeights,
    layer: int,
    experts: ExpertArray,
    numbers: Sequence[int],
) -> None:
    """Bring experts into memory: their record's bytes are checked, and the descriptor is set."""
    for number in numbers:
        experts[number] = Expert(*weights.matrices(RecordKey("expert", layer, number)))


def _exact(checkpoint: Checkpoint, slot: Slot) -> torch.Tensor:
    """A norm or a router in float32."""
    tensor = checkpoint.read(slot).data.to(torch.float32).contiguous().clone()
    check_finite(tensor, checkpoint.file_of(slot))
    return tensor


def _packed_router(checkpoint: Checkpoint, context: NativeContext, layer: int) -> torch.Tensor:
    router_ED = _exact(checkpoint, Slot("router", layer))
    rows, columns = router_ED.shape
    packed = torch.empty(context.packed_bytes("F32", rows, columns), dtype=torch.uint8)
    context.pack("F32", router_ED, rows, columns, packed.data_ptr())
    return packed
