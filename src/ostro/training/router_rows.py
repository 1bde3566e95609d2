"""What each layer's router reads, kept while a model works."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import Tensor

from ostro.kernels.router import RowRules
from ostro.model import Mixtral
from ostro.model.mixtral import MixtureOfExperts


@contextmanager
def watched_rows(model: Mixtral) -> Iterator[list[list[Tensor]]]:
    """Lists, one a layer, that the rows ``[T, D]`` of each step are added to, on the CPU.

    Afterwards the model is as before.
    """
    mixtures = model.mixtures()
    kernels = [mixture.kernels for mixture in mixtures]
    seen: list[list[Tensor]] = [[] for _ in mixtures]
    for mixture, rows in zip(mixtures, seen, strict=True):
        _watch(mixture, rows)
    try:
        yield seen
    finally:
        for mixture, before in zip(mixtures, kernels, strict=True):
            mixture.kernels = before


def _watch(mixture: MixtureOfExperts, rows: list[Tensor]) -> None:
    route = mixture.kernels.route

    def watched(
        x_TD: Tensor, router_ED: Tensor, top_k: int, rules: RowRules | None
    ) -> tuple[Tensor, Tensor]:
        rows.append(x_TD.detach().to("cpu", copy=True))
        return route(x_TD, router_ED, top_k, rules)

    mixture.kernels = replace(mixture.kernels, route=watched)
