"""``ostro.load``: from a name, a directory or a file to something that answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ostro.config import WEIGHT_TYPES, Geometry, WeightType
from ostro.engine.llm import LLM, CacheSize
from ostro.engine.planning import (
    cache_tokens,
    compute_type,
    kept_type,
    memory_cap,
    native_library,
    require_fit,
    spare_bytes,
    split_for_load,
)
from ostro.errors import OstroError
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.library import NativeLibrary, NoLibrary
from ostro.kernels.native import NativeContext
from ostro.model import Mixtral
from ostro.runtime.environment import Environment
from ostro.runtime.memory import resident_bytes
from ostro.runtime.progress import Progress, TerminalProgress
from ostro.runtime.settings import (
    Settings,
    choose_settings,
    leave_cores_to_kernels,
    parse_dtype,
)
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.demo import DEMO, DEMO_PARENT, demo_parent, prepare_demo
from ostro.weights.describe import Description, describe
from ostro.weights.expert_pool import ExpertPool, PoolMetrics, slot_bytes
from ostro.weights.load import load_model
from ostro.weights.packed_model import packed_model
from ostro.weights.prepared import plan_records, prepare
from ostro.weights.rope_choice import rope_choice, stretched
from ostro.weights.store import find_model, list_models
from ostro.weights.stored import DTYPE_OF_TYPE
from ostro.weights.tokenizer_files import TokenizerFiles


@dataclass(frozen=True)
class Located:
    """A model on disk."""

    name: str
    path: Path


def locate(model: str | Path, environment: Environment, progress: Progress) -> Located:
    """Find a model by path or by its name in the store.

    The demo is prepared, and its dense parent (``demo-parent``) fetched, if it is missing.
    """
    path = Path(model).expanduser()
    if path.exists():
        return Located(path.name, path)
    name = str(model)
    # The demo of an earlier ostro is replaced, so it is not enough to find one.
    found = prepare_demo(environment, progress) if name == DEMO else find_model(environment, name)
    if found is None and name == DEMO_PARENT:
        found = demo_parent(environment, progress)
    if found is None:
        have = ", ".join(stored.name for stored in list_models(environment)) or "none yet"
        hint = f"ostro pull {name}" if name.count("/") == 1 else "ostro pull HUB_ID"
        raise OstroError(
            f"no model {name!r}: neither a path nor pulled (there are: {have}); try {hint}"
        )
    return Located(name, found)


@dataclass(frozen=True)
class _Source:
    """What is to be loaded, and in how much memory."""

    checkpoint: Checkpoint
    """As it is computed: with the rope scaling that was asked for."""
    stored: Checkpoint
    """As it is on disk. What is prepared of its weights serves every rope scaling."""
    description: Description
    compute: WeightType
    context: int
    cap: int | None
    """Bytes that the process may hold; None: what is free."""
    kept: WeightType
    """What keys and values are kept in."""


@dataclass(frozen=True)
class _Loaded:
    """A model in memory."""

    model: Mixtral
    settings: Settings
    spare_bytes: int
    """Memory that is left for more keys and values."""
    experts: PoolMetrics | None = None
    """What the pool of experts does, where they don't all fit."""


def load(
    model: str | Path = DEMO,
    *,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    threads: int | None = None,
    context: int | None = None,
    memory: int | str | None = None,
    cache_type: str | None = None,
    rope_scaling: str | Mapping[str, Any] | None = None,
    concurrency: int = 1,
    environment: Environment | None = None,
    progress: Progress | None = None,
) -> LLM:
    """Load a model by name, directory or file.

    By default the native kernels compute on the weights as they are stored. With ``dtype``
    (float32, bfloat16 or float16), on another ``device``, or where the kernels cannot run, plain
    PyTorch does, on dense weights. ``context`` is the most tokens a conversation may hold (default:
    the model's own limit). A model that does not fit into memory is refused before it is read.

    ``memory`` (bytes, or a size such as ``"8GiB"``; default: ``OSTRO_MEMORY``) caps the whole
    process. Experts that do not fit stay on disk and are read when they are wanted.

    Keys and values are kept in ``cache_type``: F32, F16, BF16, or with the native kernels Q8_0;
    by default in what goes with the weights. They get room for one context, and for up to
    ``concurrency`` of them where memory allows it.

    ``rope_scaling`` stretches positions, and with them the model's limit, otherwise than the file
    says: ``"yarn:4"``, ``"linear:4"``, ``"ntk:4"``, or a mapping with Hugging Face's names.
    """
    choice = None if rope_scaling is None else rope_choice(rope_scaling)
    environment = Environment.read() if environment is None else environment
    progress = TerminalProgress() if progress is None else progress
    settings = choose_settings(
        device=device,
        dtype=None if dtype is None else parse_dtype(dtype),
        threads=threads or environment.threads,
    )
    located = locate(model, environment, progress)
    stored = open_checkpoint(located.path)
    checkpoint = replace(stored, geometry=stretched(stored.geometry, choice))
    library = _native_library(checkpoint.geometry, settings, dense=dtype is not None)
    native = isinstance(library, NativeLibrary)
    compute = compute_type(checkpoint.matrix_type, native=native)
    if dtype is not None:
        compute = WEIGHT_TYPES[settings.type_name]
    source = _Source(
        checkpoint,
        stored,
        describe(checkpoint, located.name),
        compute,
        chosen_context(context, checkpoint.geometry, located.name),
        memory_cap(memory, environment),
        kept_type(cache_type, compute, native=native),
    )
    return _llm(source, _loaded(source, library, settings, environment, progress), concurrency)


def _llm(source: _Source, loaded: _Loaded, concurrency: int) -> LLM:
    """A model in memory with its tokenizer, and as many pages as memory has room for."""
    checkpoint = source.checkpoint
    tokens = cache_tokens(
        checkpoint.geometry,
        source.kept,
        source.context,
        concurrency=concurrency,
        spare=loaded.spare_bytes,
    )
    return LLM(
        loaded.model,
        TokenizerFiles.beside(checkpoint.path).tokenizer(checkpoint.vocabulary),
        name=source.description.name,
        settings=loaded.settings,
        context=source.context,
        experts=loaded.experts,
        cache=CacheSize(source.kept, tokens),
    )


def chosen_context(asked: int | None, geometry: Geometry, name: str) -> int:
    """Tokens that a conversation may hold: as ``asked``, or all that the model reads."""
    limit = geometry.context_length
    context = limit if asked is None else asked
    if not 1 <= context <= limit:
        raise OstroError(f"context {context} is out of range; {name} reads 1 to {limit}")
    return context


def _loaded(
    source: _Source,
    library: NativeLibrary | NoLibrary,
    settings: Settings,
    environment: Environment,
    progress: Progress,
) -> _Loaded:
    """The model in memory, on the native kernels where there are any."""
    if isinstance(library, NativeLibrary):
        return _native_model(source, library, settings, environment, progress)
    return _torch_model(source, library.notice, settings, progress)


def _native_model(
    source: _Source,
    library: NativeLibrary,
    settings: Settings,
    environment: Environment,
    progress: Progress,
) -> _Loaded:
    """A model of packed weights."""
    kernels = NativeContext(library, settings.threads)
    checkpoint, split = source.checkpoint, None
    if source.cap is None:
        plan = require_fit(
            source.description, source.compute, source.context, native=True, cache=source.kept
        )
        spare = spare_bytes(plan)
    else:
        records = plan_records(checkpoint, kernels)
        split = split_for_load(
            source.description,
            source.compute,
            source.context,
            source.cap,
            weights=sum(record.bytes for record in records),
            expert=slot_bytes(records),
            cache=source.kept,
        )
        spare = split.spare_bytes
    prepared = prepare(source.stored, kernels, environment.prepared, progress)
    pool = None if split is None or split.holds_all else ExpertPool(prepared, split.slots)
    model = packed_model(checkpoint, prepared, kernels, source.kept.name, pool)
    checkpoint.release_pages()
    leave_cores_to_kernels()
    settings = replace(settings, kernels=kernels.instruction_set, weight_type=source.compute.name)
    return _Loaded(model, settings, spare, None if pool is None else pool.metrics)


def _torch_model(source: _Source, notice: str, settings: Settings, progress: Progress) -> _Loaded:
    """A model of dense weights; ``notice`` is why it is not packed."""
    settings = replace(settings, dtype=DTYPE_OF_TYPE[source.compute.name], notice=notice)
    room = None if source.cap is None else max(source.cap - resident_bytes(), 0)
    plan = require_fit(
        source.description, source.compute, source.context, memory_bytes=room, cache=source.kept
    )
    model = load_model(
        source.checkpoint,
        torch_kernels(),
        dtype=settings.dtype,
        device=settings.device,
        progress=progress,
    )
    return _Loaded(model, settings, spare_bytes(plan))


def _native_library(
    geometry: Geometry, settings: Settings, *, dense: bool
) -> NativeLibrary | NoLibrary:
    """The native kernels, where they can do what is asked for."""
    if dense or settings.device.type != "cpu":
        return NoLibrary("a dtype or a device was asked for")
    return native_library(geometry)
