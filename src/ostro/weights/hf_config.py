"""Hugging Face's ``config.json`` to a geometry and back."""

from typing import Any

from ostro.config import Geometry
from ostro.errors import CheckpointError
from ostro.weights.fields import Fields
from ostro.weights.hf_rope import read_rope, rope_settings

# Values that the configuration classes assume where the file is silent.
_ROPE_THETA = {"mixtral": 1e6, "mistral": 1e4, "llama": 1e4}
_CONTEXT = {"mixtral": 131_072, "mistral": 131_072, "llama": 2048}
_NORM_EPS = {"mixtral": 1e-5, "mistral": 1e-6, "llama": 1e-6}
_MISTRAL_WINDOW = 4096

# Settings of training, of generation, or of the library alone.
_WITHOUT_EFFECT = (
    "architectures",
    "model_type",
    "transformers_version",
    "torch_dtype",
    "dtype",
    "use_cache",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "unk_token_id",
    "initializer_range",
    "attention_dropout",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "output_router_logits",
    "pretraining_tp",
    "_name_or_path",
    "is_llama_config",
    "rope_interleaved",
    "transformers.js_config",
    "max_window_layers",
    "return_dict",
    "output_hidden_states",
    "output_attentions",
    "chunk_size_feed_forward",
    "is_encoder_decoder",
    "id2label",
    "label2id",
    "problem_type",
    "tie_encoder_decoder",
    "cross_attention_hidden_size",
    "add_cross_attention",
)


def geometry_from_config(values: dict[str, Any], source: str) -> Geometry:
    """Read a config of the architectures mixtral, mistral or llama; all else is refused by name."""
    fields = Fields(values, source)
    kind = fields.get("model_type")
    if kind not in _ROPE_THETA:
        raise CheckpointError(
            f"{source}: unknown architecture {kind!r}; ostro reads mixtral, mistral and llama"
        )
    for key in ("attention_bias", "mlp_bias"):
        fields.expect(key, False)
    fields.expect("hidden_act", "silu")
    if fields.get("quantization_config") is not None:
        raise CheckpointError(
            f"{source}: quantization_config is not supported; use the unquantised files or a GGUF"
        )
    fields.ignore(_WITHOUT_EFFECT)
    num_heads, dim = fields.integer("num_attention_heads"), fields.integer("hidden_size")
    sparse = kind == "mixtral"
    rope = read_rope(
        fields,
        theta=_ROPE_THETA[kind],
        context_length=fields.integer("max_position_embeddings", _CONTEXT[kind]),
    )
    geometry = Geometry(
        vocab_size=fields.integer("vocab_size"),
        dim=dim,
        num_layers=fields.integer("num_hidden_layers"),
        num_heads=num_heads,
        num_kv_heads=fields.integer("num_key_value_heads", num_heads),
        head_dim=fields.integer("head_dim", dim // max(num_heads, 1)),
        ffn_dim=fields.integer("intermediate_size"),
        num_experts=fields.integer("num_local_experts", 8) if sparse else 0,
        top_k=fields.integer("num_experts_per_tok", 2) if sparse else 0,
        context_length=rope.context_length,
        norm_eps=fields.number("rms_norm_eps", _NORM_EPS[kind]),
        rope_theta=rope.theta,
        rope_scaling=rope.scaling,
        sliding_window=_window(fields, kind),
        tied_embeddings=fields.flag("tie_word_embeddings", False),
    )
    fields.finish()
    return geometry


def config_from_geometry(geometry: Geometry, dtype: str, special: dict[str, Any]) -> dict[str, Any]:
    """A ``config.json`` that transformers reads; ``special`` holds bos and eos ids if known."""
    g = geometry
    kind = "mixtral" if g.is_sparse else ("mistral" if g.sliding_window else "llama")
    config: dict[str, Any] = {
        "architectures": [f"{kind.capitalize()}ForCausalLM"],
        "model_type": kind,
        "vocab_size": g.vocab_size,
        "hidden_size": g.dim,
        "intermediate_size": g.ffn_dim,
        "num_hidden_layers": g.num_layers,
        "num_attention_heads": g.num_heads,
        "num_key_value_heads": g.num_kv_heads,
        "head_dim": g.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": g.context_length,
        "rms_norm_eps": g.norm_eps,
        **rope_settings(g),
        "tie_word_embeddings": g.tied_embeddings,
        "torch_dtype": dtype,
        **special,
    }
    if kind != "llama":
        config["sliding_window"] = g.sliding_window
    if g.is_sparse:
        config |= {"num_local_experts": g.num_experts, "num_experts_per_tok": g.top_k}
        # The published models' value; the configuration class assumes another.
        config["router_aux_loss_coef"] = 0.02
    return config


def _window(fields: Fields, kind: str) -> int | None:
    """The sliding window; Mistral's configuration class assumes one where the key is absent."""
    if kind == "llama":
        fields.expect("sliding_window", None)
        return None
    if kind == "mistral" and "sliding_window" not in fields.values:
        return _MISTRAL_WINDOW
    if fields.get("sliding_window") is None:
        return None
    return fields.integer("sliding_window")
