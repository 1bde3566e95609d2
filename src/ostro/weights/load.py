"""From a checkpoint to a model in memory."""

import torch
from torch import Tensor, nn

from ostro.kernels.dispatch import Kernels
from ostro.model import Mixtral
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import Checkpoint, check_finite
from ostro.weights.layouts import MODEL, Parts
from ostro.weights.quantise import to_dense


def load_model(
    checkpoint: Checkpoint,
    kernels: Kernels,
    *,
    dtype: torch.dtype,
    device: torch.device,
    progress: Progress,
) -> Mixtral:
    """Build the model and fill it.

    A parameter that lies in the file as it is needed is mapped, not copied; the others are made
    one at a time, so that the peak is the model plus what the system keeps of the file's pages.
    """
    with torch.device("meta"):
        model = Mixtral(checkpoint.geometry, kernels, dtype).requires_grad_(False)
    shapes = dict(model.named_parameters())
    total = sum(parameter.numel() for parameter in shapes.values())
    with progress.task(f"loading {checkpoint.path.name}", total, "items") as advance:
        for name, parts in MODEL.tensors(checkpoint.geometry).items():
            wanted = shapes[name]
            tensor = _filled(checkpoint, parts, wanted)
            check_finite(tensor, checkpoint.file_of(parts[0][0]))
            _assign(model, name, tensor.to(device))
            advance(wanted.numel())
    return model.eval()


def _filled(checkpoint: Checkpoint, parts: Parts, wanted: Tensor) -> Tensor:
    mapped = _mapped(checkpoint, parts, wanted.dtype)
    if mapped is not None:
        return mapped
    tensor = torch.empty(wanted.shape, dtype=wanted.dtype, device="cpu")
    for slot, placement in parts:
        target = tensor[placement.index] if placement.index else tensor
        to_dense(checkpoint.read(slot), wanted.dtype, out=target)
    return tensor


def _mapped(checkpoint: Checkpoint, parts: Parts, dtype: torch.dtype) -> Tensor | None:
    """The stored tensor itself, if all the parts lie in it just as in the parameter."""
    for slot, placement in parts:
        source = checkpoint.table[slot]
        same = source.shape == placement.shape and source.index == placement.index
        if not same or source.transposed or source.interleaved:
            return None
    names = {checkpoint.table[slot].tensor for slot, _ in parts}
    if len(names) > 1:
        return None
    data = checkpoint.files.read(names.pop()).data
    return data if data.dtype == dtype else None


def _assign(model: Mixtral, name: str, tensor: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(owner), leaf, nn.Parameter(tensor, requires_grad=False))
