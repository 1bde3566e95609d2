"""The processes of a run: one alone, or those that ``torchrun`` started.

All take the same steps. What is counted is summed over them, so that each judges a step alike.
"""

import atexit
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from ostro.config.recipe import Recipe
from ostro.errors import OstroError
from ostro.runtime.environment import Launch

DATA, EXPERTS = "data", "experts"


@dataclass(frozen=True)
class Ranks:
    """This process among the others."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    mesh: DeviceMesh | None = None
    """Two axes: ``experts``, the ranks that share out the experts, and ``data``, the groups of
    those. None for a process alone."""

    @property
    def is_first(self) -> bool:
        """Whether this one speaks for all."""
        return self.rank == 0

    def sum(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Sums over all ranks, each of which has the same names."""
        names = sorted(numbers)
        summed = self.sum_tensor(torch.tensor([numbers[n] for n in names], dtype=torch.float64))
        return dict(zip(names, summed.tolist(), strict=True))

    def sum_tensor(self, tensor: Tensor) -> Tensor:
        """The sum of all ranks' tensors; on the CPU it may be any, on a GPU it goes there."""
        if self.count == 1:
            return tensor
        summed = tensor.to(self.device, copy=True)
        dist.all_reduce(summed)
        return summed.to(tensor.device)


@contextmanager
def joined_ranks(recipe: Recipe, launch: Launch | None) -> Iterator[Ranks]:
    """The ranks of this run, until it ends. ``launch`` is what torchrun told; None: no others."""
    if launch is None or launch.ranks == 1:
        if recipe.parallel.experts > 1:
            raise OstroError(
                f"[parallel] experts = {recipe.parallel.experts} needs as many ranks; start with "
                "torchrun --nproc-per-node"
            )
        yield Ranks(device=torch.device(recipe.device))
        return
    experts = recipe.parallel.experts
    if launch.ranks % experts:
        raise OstroError(f"{launch.ranks} ranks can't be groups of [parallel] experts = {experts}")
    device = _device(recipe.device, launch)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        shape = (launch.ranks // experts, experts)
        mesh = init_device_mesh(device.type, shape, mesh_dim_names=(DATA, EXPERTS))
        yield Ranks(launch.rank, launch.ranks, device, mesh)
    finally:
        dist.destroy_process_group()
        # Not now: who joined the ranks still has theirs, and these the mesh.
        atexit.register(forget_groups)


def forget_groups() -> None:
    """Let the destroyed groups go, whose threads end with the last reference to them.

    A thread that lives until the process ends makes it abort now and then. FSDP's objects and the
    meshes refer to themselves, and torch's cache of sharded operations refers to the meshes.
    """
    gc.collect()
    clear = getattr(torch._C, "_clear_DTensor_sharding_propagator_cache", None)
    if clear is not None:
        clear()
    gc.collect()


def _device(name: str, launch: Launch) -> torch.device:
    if name == "cpu":
        return torch.device("cpu")
    torch.cuda.set_device(launch.local_rank)
    return torch.device("cuda", launch.local_rank)
