"""From a checkpoint to a model in memory."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ostro.kernels.dispatch import Kernels
from ostro.model import Mixtral
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import Checkpoint, check_finite
from ostro.weights.layouts import MODEL, Parts
from ostro.weights.quantise import to_dense
from ostro.weights.source import SlotSource


def load_model(
    source: SlotSource,
    kernels: Kernels,
    *,
    dtype: torch.dtype,
    device: torch.device,
    progress: Progress,
    mapped: bool = True,
    only: Callable[[str], bool] = lambda name: True,
) -> Mixtral:
    """Build the model and fill it.

    A parameter that lies in a file as it is needed is mapped, not copied, unless ``mapped`` is
    False, as for a model that will change; the others are made one at a time, so that the peak is
    the model plus what the system keeps of the file's pages. Parameters of names that ``only``
    refuses stay without numbers.
    """
    with torch.device("meta"):
        model = Mixtral(source.geometry, kernels, dtype).requires_grad_(False)
    shapes = {name: parameter for name, parameter in model.named_parameters() if only(name)}
    total = sum(parameter.numel() for parameter in shapes.values())
    label = source.path.name if isinstance(source, Checkpoint) else "the model"
    all_parts = MODEL.tensors(source.geometry)
    with progress.task(f"loading {label}", total, "items") as advance:
        for name, wanted in shapes.items():
            parts = all_parts[name]
            own = _mapped(source, parts, wanted.dtype) if mapped else None
            tensor = fill_parameter(source, parts, wanted) if own is None else own
            check_finite(tensor, source.file_of(parts[0][0]))
            put_parameter(model, name, tensor.to(device))
            advance(wanted.numel())
    return model.eval()


def fill_parameter(source: SlotSource, parts: Parts, wanted: Tensor) -> Tensor:
    """One parameter's numbers, on the CPU, in the shape and dtype of ``wanted``."""
    tensor = torch.empty(wanted.shape, dtype=wanted.dtype, device="cpu")
    for slot, placement in parts:
        target = tensor[placement.index] if placement.index else tensor
        to_dense(source.read(slot), wanted.dtype, out=target)
    return tensor


def _mapped(checkpoint: SlotSource, parts: Parts, dtype: torch.dtype) -> Tensor | None:
    """The stored tensor itself, if all the parts lie in it just as in the parameter."""
    if not isinstance(checkpoint, Checkpoint):
        return None
    for slot, placement in parts:
        stored = checkpoint.table[slot]
        same = stored.shape == placement.shape and stored.index == placement.index
        if not same or stored.transposed or stored.interleaved:
            return None
    names = {checkpoint.table[slot].tensor for slot, _ in parts}
    if len(names) > 1:
        return None
    data = checkpoint.files.read(names.pop()).data
    return data if data.dtype == dtype else None


def put_parameter(
    module: nn.Module, name: str, tensor: Tensor, *, requires_grad: bool = False
) -> nn.Parameter:
    """Make ``tensor`` the parameter of this dotted name, in the place of the one that is there."""
    owner, _, leaf = name.rpartition(".")
    parameter = nn.Parameter(tensor, requires_grad=requires_grad)
    setattr(module.get_submodule(owner), leaf, parameter)
    return parameter
