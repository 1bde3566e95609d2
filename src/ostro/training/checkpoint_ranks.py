"""Steps that all processes of a run take together, and fail together.

Without an initialised process group there is one process, and a step is a plain call.
"""

from collections.abc import Callable

import torch.distributed as dist

from ostro.errors import OstroError


def together(step: Callable[[], object]) -> None:
    """Run ``step`` on every rank; if it fails on one, all raise, so that none waits for ever."""
    if not is_distributed():
        step()
        return
    failure = _failure_of(step)
    told: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(told, None if failure is None else str(failure))
    if failure is not None:
        raise failure
    for rank, text in enumerate(told):
        if text is not None:
            raise OstroError(f"rank {rank}: {text}")


def on_first_rank(step: Callable[[], object]) -> None:
    """Run ``step`` on rank 0 while the others wait; if it fails, all raise."""
    together(step if is_first_rank() else lambda: None)


def is_first_rank() -> bool:
    """Whether this process is rank 0, or alone."""
    return not is_distributed() or dist.get_rank() == 0


def is_distributed() -> bool:
    """Whether this process is one of a group."""
    return dist.is_available() and dist.is_initialized()


def _failure_of(step: Callable[[], object]) -> Exception | None:
    try:
        step()
    except Exception as failure:
        return failure
    return None
