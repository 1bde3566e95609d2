"""Whether a run fits into the memory there is: asked before a weight is read."""

import torch

from ostro.config import format_bytes
from ostro.config.recipe import Recipe
from ostro.config.training_plan import TrainingPlan, training_plan
from ostro.errors import OstroError
from ostro.runtime.memory import read_memory
from ostro.training.beginning import Places, starting_geometry, stored_type
from ostro.training.lora import lora_parameters
from ostro.training.ranks import Ranks
from ostro.weights.checkpoint import open_checkpoint


def require_room(recipe: Recipe, places: Places, ranks: Ranks) -> TrainingPlan:
    """The plan of a run, if it fits where it is to run; else an OstroError that says what to do."""
    geometry = starting_geometry(recipe, places)
    plan = training_plan(
        geometry,
        recipe,
        stored=stored_type(places),
        adapter=lora_parameters(geometry, recipe.lora) if recipe.lora.rank else 0,
        parent=None if places.parent is None else open_checkpoint(places.parent).geometry,
        ranks=ranks.count,
    )
    available = _available(ranks)
    if plan.total > available:
        raise OstroError(
            f"this run takes {format_bytes(plan.total)} ({told(plan)}), and "
            f"{format_bytes(available)} are free; lower data.length or data.micro_batch, set "
            "precision.recompute=true, or train an adapter with lora.rank"
        )
    return plan


def told(plan: TrainingPlan) -> str:
    """The parts of a plan in one line."""
    parts = {name: getattr(plan, name) for name in plan.__dataclass_fields__}
    return ", ".join(f"{name} {format_bytes(size)}" for name, size in parts.items() if size)


def _available(ranks: Ranks) -> int:
    """What one rank may take."""
    if ranks.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(ranks.device)
        return int(free)
    return read_memory().available // ranks.count
