"""Device, dtype and threads: chosen once and passed down."""

import os
from dataclasses import dataclass

import torch

from ostro.errors import OstroError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# The weight types whose names mean these dtypes, as `--type` gives them.
TYPE_OF_DTYPE = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where and in what precision a model computes."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    kernels: str = "torch"
    """Which kernels run: ``torch``, or the instruction set that the native ones use."""
    weight_type: str | None = None
    """The weight type in memory, where it is not that of ``dtype``."""
    notice: str | None = None
    """Why the native kernels do not run."""

    @property
    def type_name(self) -> str:
        """The weight type of the model's matrices in memory."""
        return self.weight_type or TYPE_OF_DTYPE[self.dtype]


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_settings(
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    threads: int | None = None,
) -> Settings:
    """Defaults: the CPU, every usable core, bfloat16 (weights are read half as long as float32).

    The thread count is set for the whole process, since torch has one pool.
    """
    try:
        chosen = torch.device(device or "cpu")
    except RuntimeError as error:
        raise OstroError(f"unknown device {device!r}; use cpu or cuda") from error
    if chosen.type not in ("cpu", "cuda"):
        raise OstroError(f"device {chosen.type!r} is not supported; use cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise OstroError("device 'cuda' was asked for, but torch sees no NVIDIA GPU here")
    count = usable_cores() if threads is None else threads
    if count < 1:
        raise OstroError(f"threads must be 1 or more, not {count}")
    torch.set_num_threads(count)
    return Settings(device=chosen, dtype=parse_dtype(dtype), threads=count)


def leave_cores_to_kernels() -> None:
    """Let torch compute on one thread, in the whole process.

    The native kernels have threads of their own, and what is left to torch is small. Its threads
    would wait for their next work in a loop, on the cores that the model's next step needs: with
    two cores a sampled token took a third longer.
    """
    torch.set_num_threads(1)


def parse_dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    """``None`` is bfloat16; names are torch's or the weight types F32, BF16, F16."""
    names = DTYPES | {name.lower(): value for value, name in TYPE_OF_DTYPE.items()}
    chosen = torch.bfloat16 if dtype is None else dtype
    if isinstance(chosen, str):
        chosen = names.get(chosen.lower(), chosen)
    if chosen not in TYPE_OF_DTYPE:
        raise OstroError(f"dtype {dtype!r} is not supported; use float32, bfloat16 or float16")
    assert isinstance(chosen, torch.dtype)
    return chosen
