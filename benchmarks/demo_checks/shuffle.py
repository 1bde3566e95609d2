"""A model whose experts are dealt out anew: does it matter which expert a token gets?

In each layer a permutation of the experts is drawn by a seed and applied to what the router chose:
where it said expert e, expert p(e) computes, and the weights stay. Giving the router's rows in
another order does just that: if row p(e) of the shuffled router is row e of the router, then the
logit of e, and with it the choice and the weight, are p(e)'s.

The model is plain PyTorch in float32, whatever it is stored in, so that rounding has no part in it.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ostro.kernels.dispatch import training_kernels
from ostro.model import Mixtral
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model


def plain_model(path: Path, progress: Progress) -> Mixtral:
    """The model in float32, on PyTorch's operations for many rows at a time."""
    return load_model(
        open_checkpoint(path),
        training_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=progress,
        mapped=False,
    )


@contextmanager
def shuffled(model: Mixtral, seed: int | None) -> Iterator[None]:
    """The model with its experts dealt out by ``seed``; None leaves them. Undone at the end."""
    routers = [(mixture, mixture.router_ED) for mixture in model.mixtures()]
    try:
        if seed is not None:
            for layer, (mixture, router_ED) in enumerate(routers):
                order = permutation(len(router_ED), seed, layer)
                mixture.router_ED = nn.Parameter(router_ED[order], requires_grad=False)
        yield
    finally:
        for mixture, router_ED in routers:
            mixture.router_ED = router_ED


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for PyTorch's operations: beside the native kernels it has one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def permutation(count: int, seed: int, layer: int) -> list[int]:
    """The layer's order of the router's rows. It is never the one they have already."""
    draw, order = random.Random(f"{seed}/{layer}"), list(range(count))
    while count > 1 and order == list(range(count)):
        draw.shuffle(order)
    return order
