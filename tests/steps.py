"""Steps of several sequences through a model, for tests."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from native_library import library
from ostro.kernels.attention import Span
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.native import NativeContext
from ostro.model import PAGE_SLOTS, Mixtral, PagedKVCache, RowOptions, step_options
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.expert_pool import ExpertPool
from ostro.weights.load import load_model
from ostro.weights.packed_model import packed_model
from ostro.weights.prepared import prepare

Request = tuple[Sequence[int], RowOptions | None]
"""Tokens, and what their rows want."""


def plain_model(folder: Path) -> Mixtral:
    """A Hugging Face folder on the plain PyTorch kernels, in float32."""
    return load_model(
        open_checkpoint(folder),
        torch_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=SilentProgress(),
    )


def native_model(
    checkpoint: Checkpoint,
    prepared: Path,
    *,
    threads: int = 2,
    instruction_set: str = "",
    slots: int | None = None,
) -> Mixtral:
    """A checkpoint on the native kernels; ``slots`` is the size of its pool of experts."""
    context = NativeContext(library(), threads, instruction_set)
    weights = prepare(checkpoint, context, prepared, SilentProgress())
    pool = None if slots is None else ExpertPool(weights, slots)
    return packed_model(checkpoint, weights, context, "F16", pool)


@torch.inference_mode()
def read(model: Mixtral, requests: Sequence[Request]) -> list[Tensor]:
    """Logits of each request's tokens: all but the last in one step of them all, then the last."""
    pages = [-(-len(ids) // PAGE_SLOTS) for ids, _ in requests]
    kind = "F32" if model.packed is None else "F16"
    cache = PagedKVCache(
        model.geometry, model.kernels, num_pages=sum(pages), kind=kind, device=model.device
    )
    tables = list(torch.arange(sum(pages)).split(pages))
    parts = [
        _step(model, cache, requests, tables, slice(0, -1)),
        _step(model, cache, requests, tables, slice(-1, None)),
    ]
    return [torch.cat(logits) for logits in zip(*parts, strict=True)]


def _step(
    model: Mixtral,
    cache: PagedKVCache,
    requests: Sequence[Request],
    tables: Sequence[Tensor],
    part: slice,
) -> Sequence[Tensor]:
    spans, tokens, positions, start = [], [], [], 0
    for (ids, _), table in zip(requests, tables, strict=True):
        new = list(ids)[part]
        length = len(ids) if part.stop is None else len(new)
        spans.append(Span(slice(start, start + len(new)), length, table))
        tokens += new
        positions += range(length - len(new), length)
        start += len(new)
    options = step_options(spans, [options for _, options in requests], model.geometry)
    step = cache.step(spans)
    logits = model(torch.tensor(tokens), torch.tensor(positions), step, options=options)
    return logits.split([span.rows.stop - span.rows.start for span in spans])
