"""Tiny random models, made by transformers and saved in Hugging Face's layout."""

from pathlib import Path
from typing import Any

import torch

from ostro.config import WEIGHT_TYPES
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import writable_layout, write_model
from ostro.weights.tokenizer_files import TokenizerFiles

_SIZES: dict[str, Any] = {
    "vocab_size": 160,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "initializer_range": 0.15,
}


def tiny_transformers_model(kind: str, **changes: Any) -> Any:
    """A random ``mixtral``, ``mistral`` or ``llama`` in float32, the same at every call."""
    import transformers

    if kind == "mixtral":
        changes = {"num_local_experts": 8, "num_experts_per_tok": 2} | changes
    name = kind.capitalize()
    config = getattr(transformers, f"{name}Config")(**_SIZES | changes)
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norm" in parameter_name:
                parameter.uniform_(0.5, 1.5)
    return model


def save_tiny(folder: Path, kind: str = "mixtral", **changes: Any) -> Path:
    """Save a tiny model as safetensors with its config; ``dtype=`` is that of the weights."""
    dtype = changes.pop("dtype", torch.float32)
    tiny_transformers_model(kind, **changes).to(dtype).save_pretrained(folder)
    return folder


def save_gguf(path: Path, folder: Path, kind: str | None = None) -> Path:
    """Write the model in ``folder`` as GGUF, its matrices as ``kind`` (default: as they are)."""
    checkpoint = open_checkpoint(folder)
    write_model(
        checkpoint,
        TokenizerFiles.beside(folder),
        path,
        layout=writable_layout("gguf", checkpoint.geometry),
        kind=None if kind is None else WEIGHT_TYPES[kind],
        progress=SilentProgress(),
        name="tiny",
    )
    return path
