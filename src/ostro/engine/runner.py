"""One step on the model: the rows of all its answers, computed together."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ostro.engine.pages import pages_for
from ostro.engine.request import TokenRouting
from ostro.engine.scheduler import Part
from ostro.kernels.attention import Span
from ostro.model import Mixtral, PagedKVCache
from ostro.model.routing import kept_routing
from ostro.model.step_options import step_options


@dataclass(frozen=True)
class Row:
    """What a step computed for one token, after which another is chosen."""

    logits_V: Tensor
    routing: TokenRouting | None


@dataclass(frozen=True)
class PartResult:
    """What a step computed for one answer, whose rows are those of one part."""

    part: Part
    logits: Tensor
    """Float32 ``[n, V]``: of the rows after which a token is chosen, or of all if all are wanted;
    none amid a prompt."""
    routing: Sequence[TokenRouting] | None
    """Of each row, if it was kept."""

    def choosing(self, count: int) -> list[Row]:
        """The last ``count`` rows, after each of which a token may be chosen."""
        routing = [None] * count if self.routing is None else self.routing[-count:]
        return [Row(*pair) for pair in zip(self.logits[-count:], routing, strict=True)]


@dataclass(frozen=True)
class StepResult:
    """What a step computed."""

    parts: list[PartResult]
    chosen_LTK: Tensor | None
    """The experts that every row chose in every layer, if they were kept."""
    seconds: float

    @property
    def num_rows(self) -> int:
        """T of the step."""
        return sum(result.part.count for result in self.parts)


class Runner:
    """A model and the cache that its answers share."""

    def __init__(self, model: Mixtral, cache: PagedKVCache) -> None:
        self.model, self.cache = model, cache

    def run(self, parts: Sequence[Part], *, keep_routing: bool = False) -> StepResult:
        """Compute the parts of a step, of which there is at least one.

        Routing is kept if a part wants it, or if ``keep_routing``.
        """
        step = _Step(parts)
        keep_routing = keep_routing or any(part.wants_routing for part in parts)
        is_kept = keep_routing and self.model.geometry.is_sparse
        spans = [
            Span(rows, part.end, self._tensor(part.answer.pages[: pages_for(part.end)]))
            for part, rows in zip(parts, step.rows, strict=True)
        ]
        options = [part.answer.options for part in parts]
        began = time.perf_counter()
        with kept_routing(self.model) if is_kept else nullcontext() as kept:
            logits: Tensor = self.model(
                self._tensor(step.tokens),
                self._tensor(step.positions),
                self.cache.step(spans),
                self._tensor(step.wanted),
                step_options(spans, options, self.model.geometry),
            )
            routing = None if kept is None else (_stacked(kept.chosen()), _stacked(kept.weights()))
        seconds = time.perf_counter() - began
        results = [
            PartResult(part, own, _routing(routing, rows) if part.wants_routing else None)
            for part, rows, own in zip(parts, step.rows, logits.split(step.counts), strict=True)
        ]
        return StepResult(results, None if routing is None else routing[0], seconds)

    def _tensor(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self.model.device)


class _Step:
    """The rows of all parts, one after another."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.wanted: list[int] = []
        """The rows whose logits are wanted."""
        self.counts: list[int] = []
        """How many of them belong to each part."""
        self.rows: list[slice] = []
        for part in parts:
            first = len(self.tokens)
            answer = part.answer
            self.tokens += (answer.tokens + answer.drafts)[part.begin : part.end]
            self.positions += range(part.begin, part.end)
            self.rows.append(slice(first, len(self.tokens)))
            self.counts.append(part.num_logits)
            self.wanted += range(len(self.tokens) - part.num_logits, len(self.tokens))


def _stacked(layers: Sequence[Tensor]) -> Tensor:
    return torch.stack(tuple(layers))


def _routing(kept: tuple[Tensor, Tensor] | None, rows: slice) -> list[TokenRouting] | None:
    if kept is None:
        return None
    experts, weights = (tensor[:, rows].unbind(1) for tensor in kept)
    return [TokenRouting(*pair) for pair in zip(experts, weights, strict=True)]
