"""``ostro.load``: from a name, a directory or a file to something that answers."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ostro.config import WEIGHT_TYPES, Geometry, WeightType, parse_bytes
from ostro.config.weight_types import cache_type
from ostro.engine.llm import LLM
from ostro.engine.planning import compute_type, require_fit, split_for_load
from ostro.errors import OstroError
from ostro.kernels.dispatch import torch_kernels
from ostro.kernels.library import NativeLibrary, NoLibrary, load_library
from ostro.kernels.native import NativeContext
from ostro.model import Mixtral
from ostro.runtime.environment import Environment
from ostro.runtime.memory import resident_bytes
from ostro.runtime.progress import Progress, TerminalProgress
from ostro.runtime.settings import Settings, choose_settings, parse_dtype
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.demo import DEMO, prepare_demo
from ostro.weights.describe import Description, describe
from ostro.weights.expert_pool import ExpertPool, slot_bytes
from ostro.weights.load import load_model
from ostro.weights.packed_model import packed_model
from ostro.weights.prepared import native_obstacle, plan_records, prepare
from ostro.weights.store import find_model, list_models
from ostro.weights.stored import DTYPE_OF_TYPE
from ostro.weights.tokenizer_files import TokenizerFiles


@dataclass(frozen=True)
class Located:
    """A model on disk."""

    name: str
    path: Path


def locate(model: str | Path, environment: Environment, progress: Progress) -> Located:
    """Find a model by path or by its name in the store; the demo is prepared if it is missing."""
    path = Path(model).expanduser()
    if path.exists():
        return Located(path.name, path)
    name = str(model)
    found = find_model(environment, name)
    if found is None and name == DEMO:
        found = prepare_demo(environment, progress)
    if found is None:
        have = ", ".join(stored.name for stored in list_models(environment)) or "none yet"
        hint = f"ostro pull {name}" if name.count("/") == 1 else "ostro pull HUB_ID"
        raise OstroError(
            f"no model {name!r}: neither a path nor pulled (there are: {have}); try {hint}"
        )
    return Located(name, found)


def load(
    model: str | Path = DEMO,
    *,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    threads: int | None = None,
    context: int | None = None,
    memory: int | str | None = None,
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
    """
    environment = Environment.read() if environment is None else environment
    progress = TerminalProgress() if progress is None else progress
    settings = choose_settings(
        device=device,
        dtype=None if dtype is None else parse_dtype(dtype),
        threads=threads or environment.threads,
    )
    located = locate(model, environment, progress)
    checkpoint = open_checkpoint(located.path)
    limit = checkpoint.geometry.context_length
    context = limit if context is None else context
    if not 1 <= context <= limit:
        raise OstroError(f"context {context} is out of range; {located.name} reads 1 to {limit}")
    cap = parse_bytes(memory) if isinstance(memory, str) else memory or environment.memory
    library = _native_library(checkpoint.geometry, settings, dense=dtype is not None)
    compute = compute_type(checkpoint.matrix_type, native=isinstance(library, NativeLibrary))
    if dtype is not None:
        compute = WEIGHT_TYPES[settings.type_name]
    source = _Source(checkpoint, describe(checkpoint, located.name), compute, context, cap)
    if isinstance(library, NativeLibrary):
        kernels = NativeContext(library, settings.threads)
        settings = replace(settings, kernels=kernels.instruction_set, weight_type=compute.name)
        weights, pool = _native_model(source, kernels, environment, progress)
    else:
        settings = replace(settings, dtype=DTYPE_OF_TYPE[compute.name], notice=library.notice)
        weights, pool = _torch_model(source, settings, progress), None
    tokenizer = TokenizerFiles.beside(checkpoint.path).tokenizer(checkpoint.vocabulary)
    return LLM(
        weights,
        tokenizer,
        name=located.name,
        settings=settings,
        context=context,
        experts=None if pool is None else pool.metrics,
    )


@dataclass(frozen=True)
class _Source:
    """What is to be loaded, and in how much memory."""

    checkpoint: Checkpoint
    description: Description
    compute: WeightType
    context: int
    cap: int | None
    """Bytes that the process may hold; None: what is free."""


def _native_model(
    source: _Source, kernels: NativeContext, environment: Environment, progress: Progress
) -> tuple[Mixtral, ExpertPool | None]:
    """A model of packed weights, and the pool of its experts where they don't all fit."""
    checkpoint, split = source.checkpoint, None
    if source.cap is None:
        require_fit(source.description, source.compute, source.context, native=True)
    else:
        records = plan_records(checkpoint, kernels)
        split = split_for_load(
            source.description,
            source.compute,
            source.context,
            source.cap,
            weights=sum(record.bytes for record in records),
            expert=slot_bytes(records),
        )
    prepared = prepare(checkpoint, kernels, environment.prepared, progress)
    pool = None if split is None or split.holds_all else ExpertPool(prepared, split.slots)
    model = packed_model(checkpoint, prepared, kernels, cache_type(source.compute).name, pool)
    checkpoint.release_pages()
    return model, pool


def _torch_model(source: _Source, settings: Settings, progress: Progress) -> Mixtral:
    """A model of dense weights."""
    room = None if source.cap is None else max(source.cap - resident_bytes(), 0)
    require_fit(source.description, source.compute, source.context, memory_bytes=room)
    return load_model(
        source.checkpoint,
        torch_kernels(),
        dtype=settings.dtype,
        device=settings.device,
        progress=progress,
    )


def _native_library(
    geometry: Geometry, settings: Settings, *, dense: bool
) -> NativeLibrary | NoLibrary:
    """The native kernels, where they can do what is asked for."""
    if dense or settings.device.type != "cpu":
        return NoLibrary("a dtype or a device was asked for")
    obstacle = native_obstacle(geometry)
    return load_library() if obstacle is None else NoLibrary(obstacle)
