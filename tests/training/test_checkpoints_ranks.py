"""Checkpoints of several ranks: cut anew for other numbers of ranks, and errors shared by all.

Started as a program, this file forks the ranks of one group after another from a process that has
imported PyTorch, and each rank runs the functions that are meant for groups of its size.
"""

import os
import resource
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from ostro.errors import OstroError
from ostro.training.checkpoints import Checkpoints, load_tensors, read_state

STATE = {"step": 3, "recipe": "tiny"}


def whole_tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        "even": torch.randn(8, 3, generator=generator),
        "uneven": torch.randn(10, 5, generator=generator).bfloat16(),
        "fewer rows than ranks": torch.randn(2, 3, generator=generator).double(),
        "columns": torch.randn(3, 7, generator=generator),
        "everywhere": torch.randn(5, generator=generator),
        "counts": torch.arange(13),
        "plain": torch.randn(4, 4, generator=generator),
        "random": generator.get_state(),
        "scalar": torch.tensor(4.0),
    }


def cut(tensors: dict[str, Tensor], mesh: DeviceMesh) -> dict[str, Tensor]:
    placements = {"columns": Shard(1), "everywhere": Replicate()}
    plain = ("plain", "random", "scalar")
    return {
        name: tensor
        if name in plain
        else distribute_tensor(tensor, mesh, [placements.get(name, Shard(0))])
        for name, tensor in tensors.items()
    }


def whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def mesh_of_all() -> DeviceMesh:
    return init_device_mesh("cpu", (dist.get_world_size(),))


def save_all(folder: Path) -> None:
    checkpoints = Checkpoints(folder, keep_last=1)
    mesh = mesh_of_all()
    checkpoints.save(2, cut(whole_tensors(), mesh), {})
    path = checkpoints.save(3, cut(whole_tensors(), mesh), STATE)
    assert checkpoints.latest() == path


def load_all(folder: Path) -> None:
    path = Checkpoints(folder, keep_last=1).latest()
    assert path is not None
    expected = whole_tensors()
    blank = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    into = cut(blank, mesh_of_all())
    load_tensors(path, into)
    assert [name for name in into if not torch.equal(whole(into[name]), expected[name])] == []
    assert read_state(path) == STATE


def fail_to_write_on_rank_0(folder: Path) -> None:
    expect_failure_on(0, folder)


def fail_to_write_on_rank_2(folder: Path) -> None:
    expect_failure_on(2, folder)


def expect_failure_on(rank: int, folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if dist.get_rank() == rank:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    with pytest.raises(OstroError, match=r"cannot write .*File too large"):
        Checkpoints(folder, keep_last=1).save(4, cut(whole_tensors(), mesh_of_all()), {})
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def save_a_step_that_exists(folder: Path) -> None:
    with pytest.raises(OstroError, match="step-00000003 exists already"):
        Checkpoints(folder, keep_last=1).save(3, {}, {})


def save_names_of_one_rank(folder: Path) -> None:
    tensors = {f"of rank {dist.get_rank()}": torch.zeros(1), "of all": torch.ones(1)}
    with pytest.raises(OstroError, match="all ranks must save the same names"):
        Checkpoints(folder, keep_last=1).save(5, tensors, {})


def load_what_one_rank_lacks(folder: Path) -> None:
    into = cut(whole_tensors(), mesh_of_all())
    if dist.get_rank() == 1:
        del into["even"]
    with pytest.raises(OstroError, match="that nothing wants: even"):
        load_tensors(folder / "step-00000003", into)


GROUPS = (
    (4, save_all),
    (4, load_all),
    (4, fail_to_write_on_rank_0),
    (4, fail_to_write_on_rank_2),
    (4, save_a_step_that_exists),
    (4, save_names_of_one_rank),
    (4, load_what_one_rank_lacks),
    (3, load_all),
    (2, load_all),
    (1, load_all),
)


def run_group(ranks: int, folder: Path) -> None:
    processes = [os.fork() or be_rank(rank, ranks, folder) for rank in range(ranks)]
    failed = [rank for rank, process in enumerate(processes) if os.waitpid(process, 0)[1]]
    assert not failed, f"ranks {failed} of {ranks} failed"


def be_rank(rank: int, ranks: int, folder: Path) -> int:
    """Do all that is to be done by a group of this size, and never return."""
    code = 1
    try:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder}-{ranks}",
            rank=rank,
            world_size=ranks,
            timeout=timedelta(seconds=30),
        )
        for size, function in GROUPS:
            if size == ranks:
                function(folder)
        dist.destroy_process_group()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def loaded_by_a_single_process(folder: Path) -> bool:
    expected = whole_tensors()
    into = {name: torch.zeros_like(tensor) for name, tensor in expected.items()}
    load_tensors(folder / "step-00000003", into)
    return all(torch.equal(into[name], expected[name]) for name in expected)


def test_ranks_save_and_load_and_fail_together(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["step-00000003"]
    files = sorted(path.name for path in (folder / "step-00000003").iterdir())
    assert files == [*(f"rank-{rank:05}-00000.safetensors" for rank in range(4)), "state.json"]
    assert loaded_by_a_single_process(folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for count in (4, 3, 2, 1):
        run_group(count, Path(sys.argv[1]))
