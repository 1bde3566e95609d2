"""QLoRA's base (Dettmers et al., 2023): weights that stay in the blocks of their file.

A layer's matrices are dequantised when it is computed, and again when it is computed for the
backward pass; in between there are only the file's pages. So the model takes the memory of its
blocks and of one layer.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ostro.kernels.dispatch import Kernels
from ostro.model import Mixtral
from ostro.model.mixtral import Block
from ostro.runtime.progress import Progress
from ostro.weights.layouts import MODEL, Parts
from ostro.weights.load import fill_parameter, load_model, put_parameter
from ostro.weights.source import SlotSource


def quantised_model(
    source: SlotSource,
    kernels: Kernels,
    *,
    dtype: torch.dtype,
    device: torch.device,
    progress: Progress,
) -> Mixtral:
    """A frozen model whose layers keep no matrices; everything else is dense, in ``dtype``."""
    model = load_model(
        source,
        kernels,
        dtype=dtype,
        device=device,
        progress=progress,
        only=lambda name: not _in_blocks(name),
    )
    parts = MODEL.tensors(source.geometry)
    for index, block in enumerate(model.blocks()):
        prefix = f"layers.{index}."
        own = {
            name.removeprefix(prefix): parts[name]
            for name in parts
            if name.startswith(prefix) and _in_blocks(name)
        }
        layer = _Layer(source, block, own, dtype, device)
        block.forward = partial(checkpoint, layer, use_reentrant=False)  # type: ignore[method-assign]
    return model


class _Layer:
    """A block that has its matrices while it computes."""

    def __init__(
        self,
        source: SlotSource,
        block: Block,
        parts: Mapping[str, Parts],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._source, self._block, self._parts = source, block, parts
        self._dtype, self._device = dtype, device
        self._compute = block.forward

    def __call__(self, *inputs: Any) -> Tensor:
        kept = {name: self._block.get_parameter(name) for name in self._parts}
        for name, parts in self._parts.items():
            wanted = torch.empty(kept[name].shape, dtype=self._dtype, device="meta")
            matrix = fill_parameter(self._source, parts, wanted).to(self._device)
            put_parameter(self._block, name, matrix)
        try:
            return self._compute(*inputs)
        finally:
            for name, parameter in kept.items():
                put_parameter(self._block, name, parameter)


def _in_blocks(name: str) -> bool:
    """Whether a parameter is a matrix of a layer; the router is none, it is never quantised."""
    is_layers = name.startswith("layers.")
    return is_layers and "norm" not in name and not name.endswith("router_ED")
