"""A run's model as an ordinary checkpoint."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ostro.config import Geometry, WeightType
from ostro.config.recipe import Recipe, parse_recipe
from ostro.errors import OstroError
from ostro.model import Mixtral
from ostro.model.lora import Adapter
from ostro.runtime.progress import Progress
from ostro.training.beginning import Places, begin, starting_geometry
from ostro.training.checkpoints import Checkpoints, load_tensors, read_state
from ostro.training.lora import LoRAParameters
from ostro.weights.adapters import read_adapter, write_adapter
from ostro.weights.convert import Written, writable_layout, write_model
from ostro.weights.layouts import MODEL
from ostro.weights.merge_adapter import Merged
from ostro.weights.own_tokenizer import own_tokenizer
from ostro.weights.parameters import Parameters
from ostro.weights.slots import Slot, slot_shape
from ostro.weights.source import SlotSource


def export(
    run: Path,
    out: Path,
    *,
    step: int | Literal["best"] | None,
    kind: WeightType,
    places: Callable[[Recipe], Places],
    progress: Progress,
) -> Written:
    """Write the model at ``step`` of the run in a folder (None: its last) in Hugging Face's layout.

    ``kind`` is the type of its matrices; norms and the router stay float32 where it would lose.
    """
    path = _checkpoint(run, step)
    recipe = _recipe(path)
    found = places(recipe)
    model = begin(recipe, found, progress)
    own = own_tokenizer(found.tokenizer)
    parameters = Parameters(model.geometry, _tensors(model), own.vocabulary)
    source: SlotSource = parameters
    if recipe.lora.rank:
        source = Merged(parameters, _adapter(model.geometry, recipe, found, path, "adapter"))
    else:
        wanted = {f"model.{name}": tensor for name, tensor in parameters.tensors.items()}
        load_tensors(path, wanted, some=True)
    return write_model(
        source,
        own.files,
        out,
        layout=writable_layout("hf", model.geometry),
        kind=kind,
        progress=progress,
        name=out.name,
    )


def export_adapter(
    run: Path,
    out: Path,
    *,
    step: int | Literal["best"] | None,
    places: Callable[[Recipe], Places],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the adapter at ``step`` of a run in PEFT's layout, its additions in ``dtype``.

    A run without one is an error.
    """
    path = _checkpoint(run, step)
    recipe = _recipe(path)
    if not recipe.lora.rank:
        raise OstroError(f"{run} trained the weights themselves; export without --adapter")
    found = places(recipe)
    geometry = starting_geometry(recipe, found)
    write_adapter(_adapter(geometry, recipe, found, path, out.name), geometry, out, dtype)


def _recipe(path: Path) -> Recipe:
    stored = read_state(path)["recipe"]
    return parse_recipe(stored, stored["task"], f"the recipe stored in {path}")


def _tensors(model: Mixtral) -> dict[str, Tensor]:
    return {name: parameter.data for name, parameter in model.named_parameters()}


def _adapter(geometry: Geometry, recipe: Recipe, places: Places, path: Path, name: str) -> Adapter:
    """The adapter in a checkpoint; with routers if the run trained them, or was given some."""
    parameters = LoRAParameters(geometry, recipe.lora, recipe.seed)
    wanted = {f"adapter.{name}": tensor.data for name, tensor in parameters.named_parameters()}
    routers: tuple[Tensor, ...] = ()
    if recipe.lora.router:
        there = [Slot("router", layer) for layer in range(geometry.num_layers)]
        routers = tuple(torch.empty(slot_shape(geometry, "router")) for _ in there)
        for slot, router_ED in zip(there, routers, strict=True):
            wanted[f"model.{MODEL.place(geometry, slot).tensor}"] = router_ED
    elif places.adapter is not None:
        routers = read_adapter(places.adapter, geometry).routers
    load_tensors(path, wanted, some=True)
    return replace(parameters.adapter(name), routers=routers)


def _checkpoint(run: Path, step: int | Literal["best"] | None) -> Path:
    checkpoints = Checkpoints(run / "checkpoints", keep_last=1)
    if isinstance(step, int):
        if step not in checkpoints.steps():
            there = ", ".join(map(str, checkpoints.steps())) or "none"
            raise OstroError(f"{run} has no checkpoint of step {step}; there are: {there}")
        return checkpoints.path(step)
    found = checkpoints.best() if step == "best" else checkpoints.latest()
    if found is None:
        what = "checkpoint with a validation loss" if step == "best" else "checkpoint"
        raise OstroError(f"{run} has no {what}")
    return found
