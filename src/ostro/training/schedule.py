"""The learning rate on its way through a run."""

import math

from ostro.config.recipe import Schedule


def rate(schedule: Schedule, step: int, steps: int) -> float:
    """The share of the highest rate that step ``step`` of ``steps`` takes; steps count from 0.

    It rises in the warmup, the first step already above 0, and then falls as the kind says. The
    last step takes ``final``, except where the kind is constant.
    """
    warmup = round(schedule.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule.kind == "constant":
        return 1.0
    start = warmup
    if schedule.kind == "wsd":
        start = max(warmup, steps - 1 - round(schedule.decay * steps))
    done = min(max((step - start) / max(steps - 1 - start, 1), 0.0), 1.0)
    if schedule.kind == "cosine":
        done = (1 - math.cos(math.pi * done)) / 2
    return 1.0 - (1.0 - schedule.final) * done
