"""Plans for models on disk, on the hub, or on paper, against this machine."""

from dataclasses import replace
from pathlib import Path

from ostro.config import PRESETS, WEIGHT_TYPES, Geometry, Plan, WeightType, make_plan
from ostro.config.arithmetic import kv_bytes_per_token
from ostro.config.memory_split import PROCESS_GROWTH, MemorySplit, split_memory
from ostro.config.plan import workspace_bytes
from ostro.config.units import format_bytes, parse_bytes
from ostro.config.weight_types import cache_type, weight_type
from ostro.errors import MemoryPlanError, OstroError
from ostro.kernels.library import NativeLibrary, NoLibrary, load_library
from ostro.runtime.bandwidth import read_bandwidth
from ostro.runtime.disk import disk_bandwidth
from ostro.runtime.environment import Environment
from ostro.runtime.memory import read_memory, resident_bytes
from ostro.runtime.settings import usable_cores
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.describe import Description, describe, describe_hub, describe_preset
from ostro.weights.prepared import native_obstacle, native_type
from ostro.weights.store import find_model

_SMALLEST_CONTEXT = 256


def compute_type(stored: WeightType, *, native: bool = True) -> WeightType:
    """What weights become in memory.

    The native kernels compute on most types as they are stored, and on the rest as BF16. Plain
    PyTorch needs dense numbers: quantised ones become F16, since the scales of their blocks are
    F16 themselves and BF16 would lose more.
    """
    if native:
        return native_type(stored)
    return stored if stored.is_dense else WEIGHT_TYPES["F16"]


def native_library(geometry: Geometry) -> NativeLibrary | NoLibrary:
    """The native kernels, where they can run this geometry here, or why not."""
    obstacle = native_obstacle(geometry)
    return load_library() if obstacle is None else NoLibrary(obstacle)


def runs_natively(geometry: Geometry) -> bool:
    """Whether the native kernels would run this geometry here."""
    return isinstance(native_library(geometry), NativeLibrary)


def memory_cap(asked: int | str | None, environment: Environment) -> int | None:
    """Bytes that the process may take: what was asked for, else ``OSTRO_MEMORY``, else no cap."""
    if isinstance(asked, int):
        return asked
    if asked is not None:
        return parse_bytes(asked)
    try:
        return None if environment.memory is None else parse_bytes(environment.memory)
    except OstroError as error:
        raise OstroError(f"OSTRO_MEMORY: {error}") from error


def _path_of(model: str, environment: Environment) -> Path:
    """Where a path or a model in the store lies; what else it may be does not exist there."""
    path = Path(model).expanduser()
    return path if path.exists() else find_model(environment, model) or path


def describe_model(model: str, environment: Environment) -> Description:
    """What is known of a path, a model in the store, a preset, or a hub id; nothing is loaded."""
    path = _path_of(model, environment)
    if path.exists():
        return describe(open_checkpoint(path), model)
    if model in PRESETS:
        return describe_preset(model)
    if "/" in model and not model.startswith((".", "/", "~")):
        return describe_hub(environment, model)
    raise OstroError(
        f"no model {model!r}: neither a path, nor pulled, nor a hub id, nor one of the presets "
        f"{', '.join(PRESETS)}"
    )


def plan_model(
    model: Description,
    environment: Environment,
    *,
    kind: WeightType | None = None,
    context: int | None = None,
    batch: int = 1,
    memory_bytes: int | None = None,
    threads: int | None = None,
) -> Plan:
    """What ``model`` takes, stored as ``kind`` (default: as it is), and how fast it can decode.

    Memory is what is available now, unless ``memory_bytes`` says otherwise. Bandwidth is measured
    at the first call on a machine, which takes about a second.
    """
    stored = kind or model.stored_type
    count = threads or environment.threads or usable_cores()
    return make_plan(
        model.geometry,
        model=model.name,
        stored=stored,
        compute=compute_type(stored, native=runs_natively(model.geometry)),
        stored_bytes=model.stored_bytes if stored == model.stored_type else None,
        memory_bytes=read_memory().available if memory_bytes is None else memory_bytes,
        read_bandwidth=read_bandwidth(environment.home, count),
        context=context,
        batch=batch,
    )


def plan_split(
    plan: Plan, geometry: Geometry, *, cap_bytes: int, expert: int | None = None
) -> MemorySplit:
    """How a process of at most ``cap_bytes`` would run a plan's model.

    ``expert`` is what one expert takes, where that is known exactly.
    """
    return split_memory(
        geometry,
        WEIGHT_TYPES[plan.compute_type],
        cap_bytes=cap_bytes,
        process_bytes=resident_bytes() + PROCESS_GROWTH,
        workspace_bytes=plan.workspace_bytes,
        kv_bytes=plan.kv_bytes,
        weights=plan.resident_weight_bytes,
        expert=expert,
    )


def capped_speed(plan: Plan, split: MemorySplit, disk: float | None) -> float | None:
    """Tokens per second to expect of a split; None where the disk's speed is not known.

    Memory and disk are read one after the other: prefetching hides part of that, and choosing the
    same experts again makes some reads unnecessary, so it is a cautious figure.
    """
    seconds = 1 / plan.decode_tokens_per_second_ceiling
    if split.read_bytes_per_token:
        if disk is None:
            return None
        seconds += split.read_bytes_per_token / disk
    return 1 / seconds


def model_disk_bandwidth(model: str, environment: Environment) -> float | None:
    """Read speed of the disk that a model lies on; None for a model that is not on one."""
    path = _path_of(model, environment)
    files = [path] if path.is_file() else [file for file in path.glob("*") if file.is_file()]
    largest = max(files, key=lambda file: file.stat().st_size, default=None)
    return None if largest is None else disk_bandwidth(environment.home, largest)


def require_fit(
    model: Description,
    compute: WeightType,
    context: int,
    *,
    memory_bytes: int | None = None,
    native: bool = False,
    cache: WeightType | None = None,
) -> Plan:
    """The plan of a model that fits into memory (default: what is free); else what would fit.

    The ``native`` kernels can also keep experts on disk. ``cache`` is what keys and values are
    kept in.
    """
    memory = read_memory().available if memory_bytes is None else memory_bytes
    plan = _load_plan(model, compute, context, memory, cache)
    if plan.fits:
        return plan
    rest = plan.memory_bytes - plan.resident_weight_bytes - plan.workspace_bytes
    fitting = rest // (plan.kv_bytes_per_token * plan.batch)
    split = plan_split(plan, model.geometry, cap_bytes=memory + resident_bytes())
    if fitting >= _SMALLEST_CONTEXT:
        mend = f"--context {fitting} would fit"
    elif native and split.fits:
        mend = (
            f"--memory {split.cap_bytes >> 20}MiB keeps {split.slots} of its {split.num_experts} "
            "experts in memory and the rest on disk, which is slower"
        )
    else:
        mend = (
            f"its weights alone take {format_bytes(plan.resident_weight_bytes)}; "
            "take a smaller model or more memory"
        )
    raise MemoryPlanError(
        f"{plan.model} needs {format_bytes(plan.required_bytes)} with a context of {plan.context} "
        f"and {format_bytes(plan.memory_bytes)} are free: {mend}"
    )


def split_for_load(
    model: Description,
    compute: WeightType,
    context: int,
    cap: int,
    *,
    weights: int,
    expert: int,
    cache: WeightType | None = None,
) -> MemorySplit:
    """How the process runs a model in ``cap`` bytes; a cap too small for one layer is refused.

    ``weights`` and ``expert`` are the bytes of all packed weights, and of one expert at most.
    """
    free = read_memory().available + resident_bytes()
    plan = _load_plan(model, compute, context, cap, cache)
    plan = replace(plan, resident_weight_bytes=weights)
    split = plan_split(plan, model.geometry, cap_bytes=min(cap, free), expert=expert)
    if not split.fits:
        raise MemoryPlanError(
            f"{plan.model} cannot run in {format_bytes(split.cap_bytes)}: the smallest --memory is "
            f"{split.smallest_memory}, of which {format_bytes(split.kv_bytes)} are "
            f"keys and values of {context} tokens; a smaller --context takes less"
        )
    return split


def spare_bytes(plan: Plan) -> int:
    """What a model that fits leaves of the memory; half of it is left to other programs."""
    return (plan.memory_bytes - plan.required_bytes) // 2


def cache_tokens(
    geometry: Geometry, cache: WeightType, context: int, *, concurrency: int, spare: int
) -> int:
    """Of how many tokens keys and values are kept for ``concurrency`` answers at once.

    One context at least, for which the plan has room, and as much more as ``spare`` bytes hold, up
    to a context for each.
    """
    rows = workspace_bytes(geometry, concurrency) - workspace_bytes(geometry, 1)
    more = max(spare - rows, 0) // kv_bytes_per_token(geometry, cache)
    return min(context + more, concurrency * context)


def kept_type(asked: str | None, compute: WeightType, *, native: bool) -> WeightType:
    """What keys and values are kept in: what was ``asked`` for, else what goes with the weights."""
    if asked is None:
        return cache_type(compute)
    kind = weight_type(asked)
    known = ("F32", "F16", "BF16", "Q8_0") if native else ("F32", "F16", "BF16")
    if kind.name not in known:
        raise OstroError(f"keys and values can be kept in {', '.join(known)} here, not {kind.name}")
    return kind


def _load_plan(
    model: Description, compute: WeightType, context: int, memory: int, cache: WeightType | None
) -> Plan:
    return make_plan(
        model.geometry,
        model=model.name,
        stored=model.stored_type,
        compute=compute,
        stored_bytes=model.stored_bytes,
        memory_bytes=memory,
        read_bandwidth=0.0,
        context=context,
        cache=cache,
    )
