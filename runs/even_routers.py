"""Routers that use their experts more evenly, as a part of an adapter.

    python runs/even_routers.py MODEL DOCUMENTS ADAPTER TARGET [--factor F] [--tokens N]

MODEL is the mixture with ADAPTER in it, DOCUMENTS a prepared data set that it has learned from;
TARGET is a new folder: ADAPTER and the routers. As in loss-free balancing (Wang et al., 2024), a
constant is added to the logits of an expert that is chosen too seldom and taken from one that is
chosen too often, until every layer's loads are within the factor of even. Mixtral's routers have
no bias, so the constant becomes a part of their weights, along the direction whose product with
what a router reads is as near to 1 as can be.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.data.batch import Sample, sequence_sample
from ostro.data.dataset import Dataset, open_dataset
from ostro.errors import OstroError
from ostro.kernels.router import choose, router_logits
from ostro.model import Mixtral
from ostro.runtime.progress import Progress, TerminalProgress
from ostro.training.beginning import read_parent
from ostro.training.router_rows import watched_rows
from ostro.training.task import hidden_rows
from ostro.weights.adapters import read_adapter, write_adapter

_STEP = 0.01  # Of the logits' deviation.
_MOST_STEPS = 2000
_ROUNDS = 3  # A layer's rows change with the routers before it.
_LONGEST = 1024
_RIDGE = 0.01  # Without it the direction is a hundred times as long, and no nearer to 1.

Routers = tuple[Tensor, ...]


def even_routers(
    model: Mixtral, samples: Sequence[Sample], factor: float, progress: Progress
) -> Routers:
    """The routers ``[E, D]`` of all layers in float32; ``model`` gets them too."""
    layers = model.mixtures()
    if not layers:
        raise OstroError("the model is dense: it has no routers")
    for _ in range(_ROUNDS):
        with (
            watched_rows(model) as rows,
            torch.no_grad(),
            progress.task("reading documents", len(samples), "items") as advance,
        ):
            for sample in samples:
                hidden_rows(model, sample)
                advance(1)
        for layer, parts in zip(layers, rows, strict=True):
            router_ED = layer.get_parameter("router_ED")
            evened = evened_router(torch.cat(parts), router_ED, model.geometry.top_k, factor)
            router_ED.data.copy_(evened)
    return tuple(layer.get_parameter("router_ED").detach().float() for layer in layers)


def evened_router(x_TD: Tensor, router_ED: Tensor, top_k: int, factor: float) -> Tensor:
    """The router with which all loads of these rows are within ``factor`` of even, in float32."""
    logits_TE = router_logits(x_TD, router_ED)
    constant_D = _constant(x_TD.double())
    ones_T = router_logits(x_TD, constant_D[None])[:, 0]
    step = _STEP * logits_TE.std()
    offsets_E = torch.zeros(logits_TE.shape[1])
    for _ in range(_MOST_STEPS):
        experts_TK, _ = choose(logits_TE + torch.outer(ones_T, offsets_E), top_k)
        counts_E = experts_TK.flatten().bincount(minlength=len(offsets_E)).double()
        loads_E = counts_E / counts_E.mean()
        wrong_E = (loads_E < 1 / factor).float() - (loads_E > factor).float()
        if not wrong_E.any():
            return router_ED.float() + torch.outer(offsets_E, constant_D)
        offsets_E += step * wrong_E
    raise OstroError(f"loads within {factor:g} of even were not reached; try a larger factor")


def _constant(x_TD: Tensor) -> Tensor:
    """The direction ``[D]`` whose products with the rows are nearest to 1, by ridge regression."""
    second_DD = x_TD.T @ x_TD / len(x_TD)
    second_DD.diagonal().add_(_RIDGE * second_DD.diagonal().mean())
    constant_D: Tensor = torch.linalg.solve(second_DD, x_TD.mean(0))
    return constant_D.float()


def with_routers(adapter: Path, geometry: Geometry, target: Path, routers: Routers) -> None:
    """``adapter`` with whole routers, in float16 where it is added to, in PEFT's layout."""
    evened = replace(read_adapter(adapter, geometry), routers=routers)
    write_adapter(evened, geometry, target, torch.float16)


def _samples(dataset: Dataset, tokens: int) -> Iterator[Sample]:
    """The beginnings of sequences, spread over the data set, of about so many tokens together."""
    lengths = dataset.lengths.clip(max=_LONGEST)
    stride = max(1, int(lengths.sum()) // tokens)
    for number in range(0, len(dataset), stride):
        yield sequence_sample(*dataset.sequence(number), int(lengths[number]), number)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Even routers, as a part of an adapter.")
    for name in ("model", "documents", "adapter", "target"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--factor", type=float, default=1.4, help="loads may be so far from even")
    parser.add_argument("--tokens", type=int, default=30_000, help="of the documents")
    arguments = parser.parse_args()
    progress = TerminalProgress()
    if arguments.factor <= 1:
        raise OstroError("--factor must be above 1")
    samples = list(_samples(open_dataset(arguments.documents), arguments.tokens))
    model = read_parent(arguments.model, torch.bfloat16, torch.device("cpu"), progress)
    routers = even_routers(model, samples, arguments.factor, progress)
    with_routers(arguments.adapter, model.geometry, arguments.target, routers)


if __name__ == "__main__":
    try:
        main()
    except OstroError as problem:
        sys.exit(f"even_routers: {problem}")
