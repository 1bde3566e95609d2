"""What is traded for memory or speed, layer by layer."""

from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from ostro.config.recipe import Precision
from ostro.model import Mixtral


def prepare_layers(model: Mixtral, recipe: Precision) -> None:
    """Compile the layers, or have them computed again in the backward pass, as the recipe says."""
    for block in model.blocks():
        forward = torch.compile(block.forward, dynamic=True) if recipe.compile else block.forward
        if recipe.recompute:
            forward = partial(checkpoint, forward, use_reentrant=False)
        # The instance's own attribute stands before the class's method, and names stay as they are.
        block.forward = forward  # type: ignore[method-assign]
