"""What routers do while a model learns: counted over all steps between two reports.

A mixture fails quietly: experts that no token reaches cost memory and learn nothing, and the loss
does not tell. So every line of a run's log says how each layer's experts are used.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from ostro.training.ranks import Ranks
from ostro.training.task import Learner


class RouterHealth:
    """Load, entropy, overload and dead experts of every layer, and how far experts have come."""

    def __init__(self, learner: Learner, ranks: Ranks, parents: Mapping[str, Tensor]) -> None:
        """``parents`` are the dense model's matrices that experts began as; none: not upcycled."""
        self._model, self._record = learner.model, learner.record
        self._ranks, self._parents = ranks, parents
        self._counts_LE: Tensor | None = None
        self._entropy_L: Tensor | None = None
        self._rows = 0

    @torch.no_grad()
    def observe(self) -> None:
        """Count what the last micro-batch's tokens chose."""
        layers = self._record.layers
        if not layers:
            return
        counts_LE = self._record.counts()
        entropy_L = torch.stack([_entropy(layer.logits_TE) for layer in layers])
        self._counts_LE = counts_LE if self._counts_LE is None else self._counts_LE + counts_LE
        self._entropy_L = entropy_L if self._entropy_L is None else self._entropy_L + entropy_L
        self._rows += len(layers[0].logits_TE)

    def report(self) -> dict[str, list[float] | list[list[float]]]:
        """Lists with an entry a layer; counting begins anew. Empty for a dense model.

        ``load``: each expert's share of all choices. ``entropy``: of a token's probabilities over
        all experts, on average, 1 where they are alike. ``overload``: the busiest expert's load, 1
        when balanced. ``dead``: how many experts no token chose. ``distance``: that of the experts
        from their dense parent, as a share of its norm, on average.
        """
        if self._counts_LE is None or self._entropy_L is None:
            return {}
        counts_LE = self._ranks.sum_tensor(self._counts_LE)
        entropy_L = self._ranks.sum_tensor(self._entropy_L)
        rows = self._ranks.sum({"rows": self._rows})["rows"]
        load_LE = counts_LE / counts_LE.sum(1, keepdim=True)
        experts = load_LE.shape[1]
        found: dict[str, list[float] | list[list[float]]] = {
            "load": _rounded(load_LE),
            "entropy": _rounded(entropy_L / (rows * math.log(max(experts, 2)))),
            "overload": _rounded(load_LE.max(1).values * experts),
            "dead": (counts_LE == 0).sum(1).tolist(),
        }
        if self._parents:
            found["distance"] = self._distances()
        self._counts_LE, self._entropy_L, self._rows = None, None, 0
        return found

    @torch.no_grad()
    def _distances(self) -> list[float]:
        found: list[float] = []
        for index, block in enumerate(self._model.blocks()):
            pairs = [
                (_whole(own), self._parents[f"layers.{index}.feed_forward.{name}"].to(own.device))
                for name, own in block.feed_forward.named_parameters()
                if name != "router_ED"
            ]
            squares = [(own - parent).square().flatten(1).sum(1) for own, parent in pairs]
            norm = torch.stack([parent.float().square().sum() for _, parent in pairs]).sum()
            found.append(float((torch.stack(squares).sum(0) / norm).sqrt().mean()))
        return found


def _whole(weight: Tensor) -> Tensor:
    """In float32, gathered from all ranks if it is spread over them."""
    whole = weight.full_tensor() if isinstance(weight, DTensor) else weight
    return whole.detach().float()


def _entropy(logits_TE: Tensor) -> Tensor:
    """Summed over the rows, in nats."""
    logprobs_TE = logits_TE.log_softmax(1)
    return -(logprobs_TE.exp() * logprobs_TE).sum()


def _rounded(values: Tensor) -> list[float] | list[list[float]]:
    """Six digits after the point: a log is read by people."""
    rounded: list[float] | list[list[float]] = torch.round(values.double(), decimals=6).tolist()
    return rounded
