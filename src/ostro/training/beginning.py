"""The model that a run begins with: read from a checkpoint, upcycled, or new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, Geometry, WeightType
from ostro.config.recipe import Recipe
from ostro.errors import OstroError
from ostro.kernels.dispatch import Kernels, training_kernels
from ostro.model import Mixtral
from ostro.runtime.progress import Progress, SilentProgress
from ostro.training.initial_weights import new_model
from ostro.training.lora import LoRAParameters, set_routers
from ostro.training.quantised_base import quantised_model
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model
from ostro.weights.source import SlotSource
from ostro.weights.upcycle import upcycle


@dataclass(frozen=True)
class Places:
    """Where what a recipe names lies on this machine."""

    model: Path | None
    """None: the weights are new."""
    tokenizer: Path
    """The folder or file whose tokenizer goes into what is exported."""
    parent: Path | None = None
    """Of distillation."""
    adapter: Path | None = None
    """That a run goes on with."""


def begin(recipe: Recipe, places: Places, progress: Progress) -> Mixtral:
    """The whole model before its first step: float32, on the CPU, without gradients yet."""
    if places.model is None:
        assert recipe.model.geometry is not None
        return new_model(recipe.model.geometry, recipe.seed, _kernels(recipe))
    return load_model(
        _source(recipe, places.model),
        _kernels(recipe),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=progress,
        mapped=False,
    )


def begin_frozen(
    recipe: Recipe, places: Places, dtype: torch.dtype, device: torch.device, progress: Progress
) -> Mixtral:
    """A model beside which an adapter is trained: as it is stored, or in the compute dtype."""
    if places.model is None:
        raise OstroError("[lora] adapts a model; name it in model.path")
    source, kernels = _source(recipe, places.model), _kernels(recipe)
    if recipe.lora.quantised:
        return quantised_model(source, kernels, dtype=dtype, device=device, progress=progress)
    return load_model(source, kernels, dtype=dtype, device=device, progress=progress)


def begin_adapter(recipe: Recipe, places: Places, model: Mixtral) -> LoRAParameters:
    """What is trained beside a frozen model, whose routers become those of the adapter."""
    parameters = LoRAParameters(model.geometry, recipe.lora, recipe.seed)
    routers: Sequence[Tensor] = ()
    if places.adapter is not None:
        adapter = read_adapter(places.adapter, model.geometry)
        parameters.go_on_with(adapter)
        routers = adapter.routers
    if routers or recipe.lora.router:
        set_routers(model, routers, trained=recipe.lora.router)
    return parameters


def starting_geometry(recipe: Recipe, places: Places) -> Geometry:
    """The geometry of the model that a run begins with; its weights are not read."""
    if places.model is None:
        assert recipe.model.geometry is not None
        return recipe.model.geometry
    return _source(recipe, places.model).geometry


def stored_type(places: Places) -> WeightType:
    """What the matrices of the model are stored in; float32 where they are new."""
    if places.model is None:
        return WEIGHT_TYPES["F32"]
    return open_checkpoint(places.model).matrix_type


def read_parent(
    path: Path, dtype: torch.dtype, device: torch.device, progress: Progress
) -> Mixtral:
    """The model that is learned from; it stays as it is."""
    checkpoint = open_checkpoint(path)
    return load_model(checkpoint, training_kernels(), dtype=dtype, device=device, progress=progress)


def dense_parents_experts(recipe: Recipe, places: Places) -> Mapping[str, Tensor]:
    """The parameters of an upcycled model's experts as they were in its parent.

    By name, without the axis of experts, in bfloat16; nothing where no model is upcycled.
    """
    if places.model is None or not recipe.model.experts:
        return {}
    parent = load_model(
        open_checkpoint(places.model),
        training_kernels(),
        dtype=torch.bfloat16,
        device=torch.device("cpu"),
        progress=SilentProgress(),
        only=lambda name: ".feed_forward." in name,
    )
    names = {"gate_up_2FD": "gate_up_E2FD", "down_DF": "down_EDF"}
    return {
        f"layers.{index}.feed_forward.{names[name]}": parameter.detach()
        for index, block in enumerate(parent.blocks())
        for name, parameter in block.feed_forward.named_parameters()
    }


def _kernels(recipe: Recipe) -> Kernels:
    return training_kernels(compiled=recipe.precision.compile)


def _source(recipe: Recipe, path: Path) -> SlotSource:
    checkpoint = open_checkpoint(path)
    wanted = recipe.model
    if not wanted.experts:
        return checkpoint
    if wanted.experts < wanted.top_k:
        raise OstroError(
            f"[model] experts ({wanted.experts}) must be at least top_k ({wanted.top_k})"
        )
    return upcycle(checkpoint, num_experts=wanted.experts, top_k=wanted.top_k, seed=recipe.seed)
