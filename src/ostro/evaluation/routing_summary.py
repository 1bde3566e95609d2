"""What the router did with many tokens, layer by layer. docs/routing.md has the formulas."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.engine.llm import LLM
from ostro.engine.request import Request
from ostro.evaluation.routed_tokens import Part, RoutedTokens, routed_tokens
from ostro.runtime.progress import Progress, TerminalProgress


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """One layer."""

    shares: tuple[float, ...]
    """Of each expert in all assignments of a token to an expert."""
    share_entropy: float
    """Of the shares, in bits: log2 of the number of experts where all are used alike."""
    gate_entropy: float
    """Of the chosen experts' weights, in bits: mean over the rows."""
    first_repeats: float | None
    """Share of rows whose first choice is that of the row before; None if no row has one before."""


@dataclass(frozen=True, kw_only=True)
class RoutingSummary:
    """What was found."""

    model: str
    sequences: int
    prompt_tokens: int
    answer_tokens: int
    rows: int
    """Rows of the model that were counted: what is told twice counts once."""
    layers: tuple[LayerSummary, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        layers = [asdict(layer) | {"shares": list(layer.shares)} for layer in self.layers]
        return asdict(self) | {"layers": layers}


class RoutingTally:
    """Sums over rows, which come in the order of their sequences."""

    def __init__(self, geometry: Geometry) -> None:
        layers, experts = geometry.num_layers, geometry.num_experts
        self._tokens: dict[Part, int] = {"prompt": 0, "answer": 0}
        self._sequences = self._rows = self._pairs = 0
        self._sequence = -1
        self._before_L: Tensor | None = None
        """What the row before chose first."""
        self._assigned_LE = torch.zeros(layers, experts, dtype=torch.int64)
        self._gate_L = torch.zeros(layers, dtype=torch.float64)
        self._repeated_L = torch.zeros(layers, dtype=torch.int64)

    def add(self, tokens: RoutedTokens) -> None:
        """Count some tokens."""
        if tokens.sequence != self._sequence:
            self._sequence, self._before_L = tokens.sequence, None
            self._sequences += 1
        self._tokens[tokens.part] += len(tokens.token_ids)
        experts_TLK, weights_TLK = tokens.experts_TLK, tokens.weights_TLK
        if tokens.repeats:
            self._before_L = experts_TLK[0, :, 0]
            experts_TLK, weights_TLK = experts_TLK[1:], weights_TLK[1:]
        self._rows += len(experts_TLK)
        self._assigned_LE += _assigned(experts_TLK, self._assigned_LE.shape[1])
        self._gate_L += _entropy(_shares(weights_TLK.abs())).sum(0)
        self._add_pairs(experts_TLK[..., 0])

    def _add_pairs(self, first_TL: Tensor) -> None:
        if self._before_L is not None:
            first_TL = torch.cat([self._before_L[None], first_TL])
        self._pairs += len(first_TL) - 1
        self._repeated_L += (first_TL[1:] == first_TL[:-1]).sum(0)
        self._before_L = first_TL[-1]

    def summary(self, model: str) -> RoutingSummary:
        """What was found, under the name of the model."""
        shares_LE = _shares(self._assigned_LE)
        entropy_L = _entropy(shares_LE)
        layers = [
            LayerSummary(
                shares=tuple(shares_LE[layer].tolist()),
                share_entropy=float(entropy_L[layer]),
                gate_entropy=float(self._gate_L[layer]) / max(self._rows, 1),
                first_repeats=int(self._repeated_L[layer]) / self._pairs if self._pairs else None,
            )
            for layer in range(len(shares_LE))
        ]
        return RoutingSummary(
            model=model,
            sequences=self._sequences,
            prompt_tokens=self._tokens["prompt"],
            answer_tokens=self._tokens["answer"],
            rows=self._rows,
            layers=tuple(layers),
        )


def summarise(
    llm: LLM, requests: Sequence[Request], progress: Progress | None = None
) -> RoutingSummary:
    """Run the requests and sum up what the router did."""
    tally = RoutingTally(llm.model.geometry)
    for tokens in routed_tokens(llm, requests, progress or TerminalProgress()):
        tally.add(tokens)
    return tally.summary(llm.name)


def _assigned(experts_TLK: Tensor, num_experts: int) -> Tensor:
    """How often each expert was chosen, ``[L, E]``."""
    layers = experts_TLK.shape[1]
    number_TLK = experts_TLK.long() + num_experts * torch.arange(layers)[None, :, None]
    used = number_TLK[experts_TLK >= 0]
    return used.bincount(minlength=layers * num_experts).view(layers, num_experts)


def _shares(amounts: Tensor) -> Tensor:
    """Each amount over the sum of the last dimension, float64; all 0 where the sum is."""
    amounts = amounts.double()
    return amounts / amounts.sum(-1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)


def _entropy(shares: Tensor) -> Tensor:
    """Bits, over the last dimension."""
    return -torch.xlogy(shares, shares).sum(-1) / log(2)
