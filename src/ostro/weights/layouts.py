"""Layouts: for every slot of a model, the stored tensor it lies in, and where in it.

A layout is one function from a geometry to a table. The same table serves reading, writing and
converting; the model's own parameters are one more layout. Sources of the names: transformers'
and mistral-inference's model code and llama.cpp's converter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from ostro.config import Geometry
from ostro.weights.slots import Kind, Slot, slot_shape, slots

Index = tuple[int | slice, ...]
Family = Literal["hf", "mistral", "gguf", "model"]


@dataclass(frozen=True)
class Placement:
    """Where one slot lies."""

    tensor: str
    shape: tuple[int, ...]
    """Shape of the whole stored tensor."""
    index: Index = ()
    """The slot's part of it; empty means all."""
    transposed: bool = False
    """The part holds the slot's transpose."""
    interleaved: bool = False
    """The rows of each head are in the order of neighbouring rotary pairs, not of halves."""


Parts = list[tuple[Slot, Placement]]


@dataclass(frozen=True)
class Layout:
    """A named way to store a model."""

    name: str
    family: Family
    place: Callable[[Geometry, Slot], Placement]
    sparse: bool | None = None
    """Whether it is for mixtures only, for dense models only, or (None) for both."""

    def table(self, geometry: Geometry) -> Mapping[Slot, Placement]:
        """The place of every slot of ``geometry``."""
        return {slot: self.place(geometry, slot) for slot in slots(geometry)}

    def tensors(self, geometry: Geometry) -> Mapping[str, Parts]:
        """The stored tensors of ``geometry``, each with the slots in it and their places."""
        groups: dict[str, Parts] = {}
        for slot, placement in self.table(geometry).items():
            groups.setdefault(placement.tensor, []).append((slot, placement))
        return groups

    def fits(self, geometry: Geometry) -> bool:
        """Whether a model of this geometry can be stored so."""
        return self.sparse is None or self.sparse == geometry.is_sparse


def _whole(geometry: Geometry, slot: Slot, name: str, *, interleaved: bool = False) -> Placement:
    return Placement(name, slot_shape(geometry, slot.kind), interleaved=interleaved)


def _shared(
    geometry: Geometry,
    slot: Slot,
    whole_model: Mapping[Kind, str],
    layer: Mapping[Kind, str],
    prefix: str,
    rotary: tuple[Kind, ...] = (),
) -> Placement | None:
    """The place of a slot that has a name of its own; None for what differs among siblings.

    Names of a layer follow ``prefix`` and its number; ``rotary`` slots pair neighbouring rows.
    """
    if slot.kind in whole_model:
        return _whole(geometry, slot, whole_model[slot.kind])
    if slot.kind in layer:
        name = f"{prefix}.{slot.layer}.{layer[slot.kind]}"
        return _whole(geometry, slot, name, interleaved=slot.kind in rotary)
    return None


def _part(name: str, shape: tuple[int, ...], *index: int | slice) -> Placement:
    return Placement(name, shape, index)


# Hugging Face ---------------------------------------------------------------------------------

_HF_GLOBAL: dict[Kind, str] = {
    "embedding": "model.embed_tokens.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
}
_HF_LAYER: dict[Kind, str] = {
    "attention_norm": "input_layernorm.weight",
    "query": "self_attn.q_proj.weight",
    "key": "self_attn.k_proj.weight",
    "value": "self_attn.v_proj.weight",
    "output": "self_attn.o_proj.weight",
    "feed_forward_norm": "post_attention_layernorm.weight",
}
_HF_DENSE: dict[Kind, str] = {"gate": "gate_proj", "up": "up_proj", "down": "down_proj"}
_W123: dict[Kind, str] = {"gate": "w1", "up": "w3", "down": "w2"}


def _hf_shared(geometry: Geometry, slot: Slot) -> Placement | None:
    return _shared(geometry, slot, _HF_GLOBAL, _HF_LAYER, "model.layers")


def _hf(geometry: Geometry, slot: Slot) -> Placement:
    """Per-expert tensors, as Mixtral is published; also the dense Llama and Mistral names."""
    if shared := _hf_shared(geometry, slot):
        return shared
    layer = f"model.layers.{slot.layer}"
    if slot.kind == "router":
        return _whole(geometry, slot, f"{layer}.block_sparse_moe.gate.weight")
    if slot.expert < 0:
        return _whole(geometry, slot, f"{layer}.mlp.{_HF_DENSE[slot.kind]}.weight")
    expert = f"{layer}.block_sparse_moe.experts.{slot.expert}"
    return _whole(geometry, slot, f"{expert}.{_W123[slot.kind]}.weight")


def _hf_fused(geometry: Geometry, slot: Slot) -> Placement:
    """Stacked experts, gate above up: transformers v5's names in memory."""
    if shared := _hf_shared(geometry, slot):
        return shared
    layer = f"model.layers.{slot.layer}.mlp"
    if slot.kind == "router":
        return _whole(geometry, slot, f"{layer}.gate.weight")
    return _stacked(geometry, slot, f"{layer}.experts.gate_up_proj", f"{layer}.experts.down_proj")


def _stacked(geometry: Geometry, slot: Slot, gate_up: str, down: str) -> Placement:
    """``[E, 2F, D]`` and ``[E, D, F]``; a dense model has no first axis."""
    g = geometry
    first: Index = (slot.expert,) if g.is_sparse else ()
    outer = (g.num_experts,) if g.is_sparse else ()
    if slot.kind == "down":
        return _part(down, (*outer, g.dim, g.ffn_dim), *first)
    half = slice(0, g.ffn_dim) if slot.kind == "gate" else slice(g.ffn_dim, 2 * g.ffn_dim)
    return _part(gate_up, (*outer, 2 * g.ffn_dim, g.dim), *first, half)


# Mistral --------------------------------------------------------------------------------------

_MISTRAL_GLOBAL: dict[Kind, str] = {
    "embedding": "tok_embeddings.weight",
    "norm": "norm.weight",
    "head": "output.weight",
}
_MISTRAL_LAYER: dict[Kind, str] = {
    "attention_norm": "attention_norm.weight",
    "query": "attention.wq.weight",
    "key": "attention.wk.weight",
    "value": "attention.wv.weight",
    "output": "attention.wo.weight",
    "feed_forward_norm": "ffn_norm.weight",
}
_ROTARY: tuple[Kind, ...] = ("query", "key")


def _mistral_shared(geometry: Geometry, slot: Slot) -> Placement | None:
    return _shared(geometry, slot, _MISTRAL_GLOBAL, _MISTRAL_LAYER, "layers", _ROTARY)


def _mistral(geometry: Geometry, slot: Slot) -> Placement:
    """What mistral-inference reads today."""
    if shared := _mistral_shared(geometry, slot):
        return shared
    layer = f"layers.{slot.layer}.feed_forward"
    if slot.kind == "router":
        return _whole(geometry, slot, f"{layer}.gate.weight")
    inner = layer if slot.expert < 0 else f"{layer}.experts.{slot.expert}"
    return _whole(geometry, slot, f"{inner}.{_W123[slot.kind]}.weight")


def _mistral_torrent(geometry: Geometry, slot: Slot) -> Placement:
    """The first release: experts one below another in one matrix, w2 transposed."""
    if shared := _mistral_shared(geometry, slot):
        return shared
    g = geometry
    layer = f"layers.{slot.layer}.block_sparse_moe"
    if slot.kind == "router":
        return _whole(geometry, slot, f"{layer}.gate.weight")
    rows = slice(slot.expert * g.ffn_dim, (slot.expert + 1) * g.ffn_dim)
    shape = (g.num_experts * g.ffn_dim, g.dim)
    name = f"{layer}.{_W123[slot.kind]}"
    return Placement(name, shape, (rows,), transposed=slot.kind == "down")


# GGUF -----------------------------------------------------------------------------------------

_GGUF_GLOBAL: dict[Kind, str] = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
}
_GGUF_LAYER: dict[Kind, str] = {
    "attention_norm": "attn_norm.weight",
    "query": "attn_q.weight",
    "key": "attn_k.weight",
    "value": "attn_v.weight",
    "output": "attn_output.weight",
    "feed_forward_norm": "ffn_norm.weight",
    "router": "ffn_gate_inp.weight",
}
_GGUF_EXPERT: dict[Kind, str] = {"gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}


def _gguf_shared(geometry: Geometry, slot: Slot) -> Placement | None:
    return _shared(geometry, slot, _GGUF_GLOBAL, _GGUF_LAYER, "blk", _ROTARY)


def _gguf(geometry: Geometry, slot: Slot) -> Placement:
    """Merged expert tensors ``[E, F, D]``; for dense models the plain names."""
    if shared := _gguf_shared(geometry, slot):
        return shared
    name = f"blk.{slot.layer}.{_GGUF_EXPERT[slot.kind]}"
    if slot.expert < 0:
        return _whole(geometry, slot, f"{name}.weight")
    shape = (geometry.num_experts, *slot_shape(geometry, slot.kind))
    return _part(f"{name}_exps.weight", shape, slot.expert)


def _gguf_split(geometry: Geometry, slot: Slot) -> Placement:
    """One tensor an expert: files from before April 2024."""
    if shared := _gguf_shared(geometry, slot):
        return shared
    name = f"blk.{slot.layer}.{_GGUF_EXPERT[slot.kind]}.{slot.expert}.weight"
    return _whole(geometry, slot, name)


def _gguf_fused(geometry: Geometry, slot: Slot) -> Placement:
    """Gate and up of all experts in one tensor, as newer converters may write."""
    if shared := _gguf_shared(geometry, slot):
        return shared
    blk = f"blk.{slot.layer}"
    return _stacked(geometry, slot, f"{blk}.ffn_gate_up_exps.weight", f"{blk}.ffn_down_exps.weight")


# The model's own parameters -------------------------------------------------------------------

_MODEL_LAYER: dict[Kind, str] = {
    "attention_norm": "attention_norm_D",
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "output": "attention.output",
    "feed_forward_norm": "feed_forward_norm_D",
    "router": "feed_forward.router_ED",
}
_MODEL_GLOBAL: dict[Kind, str] = {
    "embedding": "embedding_VD",
    "norm": "norm_D",
    "head": "head_VD",
}


def _model(geometry: Geometry, slot: Slot) -> Placement:
    """Parameter names of :class:`ostro.model.mixtral.Mixtral`."""
    if shared := _shared(geometry, slot, _MODEL_GLOBAL, _MODEL_LAYER, "layers"):
        return shared
    block = f"layers.{slot.layer}.feed_forward"
    if geometry.is_sparse:
        return _stacked(geometry, slot, f"{block}.gate_up_E2FD", f"{block}.down_EDF")
    return _stacked(geometry, slot, f"{block}.gate_up_2FD", f"{block}.down_DF")


MODEL = Layout("model", "model", _model)
HF = Layout("hf", "hf", _hf)
HF_FUSED = Layout("hf-fused", "hf", _hf_fused, sparse=True)
MISTRAL = Layout("mistral", "mistral", _mistral)
MISTRAL_TORRENT = Layout("mistral-torrent", "mistral", _mistral_torrent, sparse=True)
GGUF = Layout("gguf", "gguf", _gguf)
GGUF_SPLIT = Layout("gguf-split", "gguf", _gguf_split, sparse=True)
GGUF_FUSED = Layout("gguf-fused", "gguf", _gguf_fused, sparse=True)

LAYOUTS = (HF, HF_FUSED, MISTRAL, MISTRAL_TORRENT, GGUF, GGUF_SPLIT, GGUF_FUSED)
