"""Mistral's ``params.json`` to a geometry and back."""

from dataclasses import replace
from typing import Any

from ostro.config import Geometry
from ostro.errors import CheckpointError, OstroError
from ostro.weights.fields import Fields

# What the file leaves open: Mixtral 8x7B's context, and mistral-inference's choice of base.
_CONTEXT = 32_768
_THETA, _THETA_WITH_WINDOW = 1e6, 1e4


def geometry_from_params(values: dict[str, Any], source: str, *, tied: bool) -> Geometry:
    """Read a ``params.json``; ``tied`` says that the files hold no ``output.weight``."""
    fields = Fields(values, source)
    experts = fields.table("moe")
    num_heads, dim = fields.integer("n_heads"), fields.integer("dim")
    window = fields.get("sliding_window")
    fields.expect("tied_embeddings", tied)
    fields.ignore(("max_batch_size", "model_type", "use_biases"))
    fields.expect("use_biases", False)
    for key in ("lora", "vision_encoder", "quantization"):
        fields.expect(key, None)
    if fields.get("yarn") is not None:
        raise CheckpointError(
            f"{source}: yarn is not read from params.json, whose readers disagree on what its "
            "settings mean; use the model's Hugging Face files, or remove it and load with "
            "a rope scaling of your own"
        )
    geometry = Geometry(
        vocab_size=fields.integer("vocab_size"),
        dim=dim,
        num_layers=fields.integer("n_layers"),
        num_heads=num_heads,
        num_kv_heads=fields.integer("n_kv_heads", num_heads),
        head_dim=fields.integer("head_dim", dim // max(num_heads, 1)),
        ffn_dim=fields.integer("hidden_dim"),
        num_experts=experts.integer("num_experts") if experts else 0,
        top_k=experts.integer("num_experts_per_tok") if experts else 0,
        context_length=fields.integer("max_seq_len", _CONTEXT),
        norm_eps=fields.number("norm_eps"),
        rope_theta=fields.number("rope_theta", _THETA_WITH_WINDOW if window else _THETA),
        sliding_window=window if window is None else fields.integer("sliding_window"),
        tied_embeddings=tied,
    )
    if experts:
        experts.finish()
    fields.finish()
    return geometry


def params_from_geometry(geometry: Geometry) -> dict[str, Any]:
    """A ``params.json`` that mistral-inference reads."""
    g = geometry
    params: dict[str, Any] = {
        "dim": g.dim,
        "n_layers": g.num_layers,
        "head_dim": g.head_dim,
        "hidden_dim": g.ffn_dim,
        "n_heads": g.num_heads,
        "n_kv_heads": g.num_kv_heads,
        "norm_eps": g.norm_eps,
        "vocab_size": g.vocab_size,
        "rope_theta": g.rope_theta,
    }
    if g.sliding_window is not None:
        params["sliding_window"] = g.sliding_window
    if g.is_sparse:
        params["moe"] = {"num_experts": g.num_experts, "num_experts_per_tok": g.top_k}
    if g.context_length != _CONTEXT:
        params["max_seq_len"] = g.context_length
    return params


def as_stored(geometry: Geometry) -> Geometry:
    """The geometry as this layout holds it: mistral-inference always wants a head of its own.

    It has no rope scaling either: a model with one is refused.
    """
    if geometry.rope_scaling is not None:
        raise OstroError(
            f"params.json has no place for {geometry.rope_scaling.kind} rope scaling; write this "
            "model as hf or gguf"
        )
    return replace(geometry, tied_embeddings=False)
