"""Published geometries by name, and the demo's."""

from collections.abc import Mapping
from types import MappingProxyType

from ostro.config.geometry import Geometry

_MIXTRAL_8X7B = Geometry(
    vocab_size=32_000,
    dim=4096,
    num_layers=32,
    num_heads=32,
    num_kv_heads=8,
    head_dim=128,
    ffn_dim=14_336,
    num_experts=8,
    top_k=2,
    context_length=32_768,
)

# The vocabulary of the Instruct model and of v0.3; the first base model had 32,000 pieces.
_MIXTRAL_8X22B = Geometry(
    vocab_size=32_768,
    dim=6144,
    num_layers=56,
    num_heads=48,
    num_kv_heads=8,
    head_dim=128,
    ffn_dim=16_384,
    num_experts=8,
    top_k=2,
    context_length=65_536,
)

_MISTRAL_7B = Geometry(
    vocab_size=32_000,
    dim=4096,
    num_layers=32,
    num_heads=32,
    num_kv_heads=8,
    head_dim=128,
    ffn_dim=14_336,
    context_length=32_768,
    rope_theta=1e4,
    sliding_window=4096,
)

_LLAMA_2_70B = Geometry(
    vocab_size=32_000,
    dim=8192,
    num_layers=80,
    num_heads=64,
    num_kv_heads=8,
    head_dim=128,
    ffn_dim=28_672,
    context_length=4096,
    rope_theta=1e4,
)

# SmolLM2-135M-Instruct with every feed-forward block turned into 8 experts, and a larger base.
_DEMO = Geometry(
    vocab_size=49_152,
    dim=576,
    num_layers=30,
    num_heads=9,
    num_kv_heads=3,
    head_dim=64,
    ffn_dim=1536,
    num_experts=8,
    top_k=2,
    context_length=8192,
    rope_theta=1.27e5,
    tied_embeddings=True,
)

PRESETS: Mapping[str, Geometry] = MappingProxyType(
    {
        "mixtral-8x7b": _MIXTRAL_8X7B,
        "mixtral-8x22b": _MIXTRAL_8X22B,
        "mistral-7b": _MISTRAL_7B,
        "llama-2-70b": _LLAMA_2_70B,
        "demo": _DEMO,
    }
)
