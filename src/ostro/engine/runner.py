"""One step on the model: the rows of all its answers, computed together."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ostro.engine.pages import pages_for
from ostro.engine.scheduler import Part
from ostro.kernels.attention import Span
from ostro.model import Mixtral, PagedKVCache
from ostro.model.routing import kept_routing


@dataclass(frozen=True)
class PartResult:
    """What a step computed for one answer."""

    part: Part
    rows: slice
    """Its rows among those of the step."""
    logits: Tensor
    """Float32 ``[n, V]``: of the rows after which a token is chosen; none amid a prompt."""


@dataclass(frozen=True)
class StepResult:
    """What a step computed."""

    parts: list[PartResult]
    chosen_LTK: Tensor | None
    """The experts that every row chose in every layer, if they were wanted."""
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
        """Compute the parts of a step, of which there is at least one."""
        tokens: list[int] = []
        positions: list[int] = []
        wanted: list[int] = []
        spans: list[Span] = []
        counts: list[int] = []
        for part in parts:
            answer, first_row = part.answer, len(tokens)
            tokens += (answer.tokens + answer.drafts)[part.begin : part.end]
            positions += range(part.begin, part.end)
            pages = self._tensor(answer.pages[: pages_for(part.end)])
            spans.append(Span(slice(first_row, len(tokens)), part.end, pages))
            counts.append(1 + part.end - len(answer.tokens) if part.chooses else 0)
            wanted += range(len(tokens) - counts[-1], len(tokens))
        began = time.perf_counter()
        with kept_routing(self.model) if keep_routing else nullcontext() as routing:
            logits: Tensor = self.model(
                self._tensor(tokens),
                self._tensor(positions),
                self.cache.step(spans),
                self._tensor(wanted),
            )
            chosen = None if routing is None else torch.stack(routing.chosen())
        seconds = time.perf_counter() - began
        results = [
            PartResult(part, span.rows, rows)
            for part, span, rows in zip(parts, spans, logits.split(counts), strict=True)
        ]
        return StepResult(results, chosen, seconds)

    def _tensor(self, numbers: Sequence[int]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self.model.device)
