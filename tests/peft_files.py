"""Adapter files as PEFT writes them for the tiny models of tests, with random numbers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ostro.config import Geometry

ATTENTION = {"q_proj": ("query_dim", "dim"), "k_proj": ("kv_dim", "dim")}
ATTENTION |= {"v_proj": ("kv_dim", "dim"), "o_proj": ("dim", "query_dim")}
EXPERT = {"w1": ("ffn_dim", "dim"), "w2": ("dim", "ffn_dim"), "w3": ("ffn_dim", "dim")}
DENSE = {"gate_proj": EXPERT["w1"], "down_proj": EXPERT["w2"], "up_proj": EXPERT["w3"]}


def module_shapes(geometry: Geometry) -> dict[str, tuple[int, int]]:
    """Every matrix that PEFT may adapt in a model before transformers 5: ``[out, in]``."""
    names = {}
    for layer in range(geometry.num_layers):
        prefix = f"model.layers.{layer}"
        names |= {f"{prefix}.self_attn.{leaf}": sides for leaf, sides in ATTENTION.items()}
        if not geometry.is_sparse:
            names |= {f"{prefix}.mlp.{leaf}": sides for leaf, sides in DENSE.items()}
        for expert in range(geometry.num_experts):
            moe = f"{prefix}.block_sparse_moe.experts.{expert}"
            names |= {f"{moe}.{leaf}": sides for leaf, sides in EXPERT.items()}
    return {
        name: (getattr(geometry, rows), getattr(geometry, columns))
        for name, (rows, columns) in names.items()
    }


def pair(module: str, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """A module's tensors under their names."""
    prefix = f"base_model.model.{module}"
    return {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}


def random_pairs(
    geometry: Geometry, *, rank: int = 4, seed: int = 0, leaves: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """A and B of every matrix, or of those with one of these last names."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for module, (rows, columns) in module_shapes(geometry).items():
        if leaves and module.rpartition(".")[2] not in leaves:
            continue
        a = torch.randn(rank, columns, generator=generator) * 0.08
        tensors |= pair(module, a, torch.randn(rows, rank, generator=generator) * 0.08)
    return tensors


def stacked_pairs(geometry: Geometry, *, rank: int = 4, seed: int = 0) -> dict[str, Tensor]:
    """Attention, and the stacked experts of transformers 5: gate and up inside, down around."""
    g, generator = geometry, torch.Generator().manual_seed(seed)
    tensors = random_pairs(g, rank=rank, seed=seed, leaves=tuple(ATTENTION))
    for layer in range(g.num_layers):
        experts = f"model.layers.{layer}.mlp.experts"
        shapes = {f"{experts}.base_layer": (2 * g.ffn_dim, g.dim), experts: (g.dim, g.ffn_dim)}
        for module, (rows, columns) in shapes.items():
            a = torch.randn(g.num_experts * rank, columns, generator=generator) * 0.08
            b = torch.randn(rows, rank * g.num_experts, generator=generator) * 0.08
            tensors |= pair(module, a, b)
    return tensors


def save_adapter(folder: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    """Write a folder as PEFT would; ``settings`` differ from its usual ones."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "peft_version": "0.21.2",
        "task_type": "CAUSAL_LM",
        "auto_mapping": None,
        "base_model_name_or_path": None,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.05,
        "rank_pattern": {},
        "alpha_pattern": {},
        "modules_to_save": None,
        "target_modules": [],
        "loftq_config": {},
        "use_dora": False,
        "use_rslora": False,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config | settings))
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        folder / "adapter_model.safetensors",
    )
    return folder
