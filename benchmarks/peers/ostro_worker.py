"""ostro, asked like any other engine."""

from collections.abc import Sequence
from typing import Any

import torch

import ostro
from ostro.engine.session import Session
from ostro.kernels.attention import Span
from ostro.model import PAGE_SLOTS, PagedKVCache
from ostro.runtime.progress import SilentProgress
from protocol import Setup, serve


class Ostro:
    """One sequence through a session, many through one cache of pages."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._each = setup.context // setup.sequences
        self.llm = ostro.load(
            setup.path,
            threads=setup.threads,
            context=self._each,
            progress=SilentProgress(),
            **(setup.options or {}),
        )
        self.vocab_size = self.llm.model.geometry.vocab_size
        self.clear()

    def clear(self) -> None:
        """A new session, or a new cache."""
        self._steps = (
            _One(self.llm.model, self._each)
            if self._setup.sequences == 1
            else _Many(self.llm.model, self._each, self._setup.sequences)
        )

    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        """Append to the sequences."""
        self._steps.feed(tokens)

    def about(self) -> dict[str, Any]:
        """Version, the kernels that run, and the type that weights are computed in."""
        settings = self.llm.settings
        return {
            "engine": "ostro",
            "version": ostro.__version__,
            "system": f"{settings.kernels} kernels on {settings.weight_type}",
        }


class _One:
    def __init__(self, model: Any, context: int) -> None:
        self._session = Session(model, context)

    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        self._session.feed(list(tokens[0]))


class _Many:
    """A static batch: every sequence owns the same number of pages."""

    def __init__(self, model: Any, context: int, sequences: int) -> None:
        self._model = model
        self._pages_each = -(-context // PAGE_SLOTS)
        self._lengths = [0] * sequences
        self._cache = PagedKVCache(
            model.geometry,
            model.kernels,
            num_pages=self._pages_each * sequences,
            kind=model.cache_type,
            device=model.device,
        )

    @torch.inference_mode()
    def feed(self, tokens: Sequence[Sequence[int]]) -> None:
        spans, flat, positions, start = [], [], [], 0
        for sequence, part in enumerate(tokens):
            if part:
                past = self._lengths[sequence]
                self._lengths[sequence] = length = past + len(part)
                pages = torch.arange(-(-length // PAGE_SLOTS)) + sequence * self._pages_each
                spans.append(Span(slice(start, start + len(part)), length, pages))
                flat += part
                positions += range(past, length)
                start += len(part)
        step = self._cache.step(spans)
        last = torch.tensor([span.rows.stop - 1 for span in spans])
        self._model(torch.tensor(flat), torch.tensor(positions), step, last)


serve(Ostro)
