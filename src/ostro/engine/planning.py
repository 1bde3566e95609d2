"""Plans for models on disk, on the hub, or on paper, against this machine."""

from pathlib import Path

from ostro.config import PRESETS, WEIGHT_TYPES, Plan, WeightType, make_plan
from ostro.config.units import format_bytes
from ostro.errors import MemoryPlanError, OstroError
from ostro.runtime.bandwidth import read_bandwidth
from ostro.runtime.environment import Environment
from ostro.runtime.memory import read_memory
from ostro.runtime.settings import usable_cores
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.describe import Description, describe, describe_hub, describe_preset
from ostro.weights.prepared import native_type
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


def describe_model(model: str, environment: Environment) -> Description:
    """What is known of a path, a model in the store, a preset, or a hub id; nothing is loaded."""
    path = Path(model).expanduser()
    if not path.exists():
        path = find_model(environment, model) or path
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
        compute=compute_type(stored),
        stored_bytes=model.stored_bytes if stored == model.stored_type else None,
        memory_bytes=read_memory().available if memory_bytes is None else memory_bytes,
        read_bandwidth=read_bandwidth(environment.home, count),
        context=context,
        batch=batch,
    )


def require_fit(model: Description, compute: WeightType, context: int) -> None:
    """Refuse a model that does not fit into the memory available now, saying what would."""
    plan = make_plan(
        model.geometry,
        model=model.name,
        stored=model.stored_type,
        compute=compute,
        stored_bytes=model.stored_bytes,
        memory_bytes=read_memory().available,
        read_bandwidth=0.0,
        context=context,
    )
    if plan.fits:
        return
    rest = plan.memory_bytes - plan.resident_weight_bytes - plan.workspace_bytes
    context = rest // (plan.kv_bytes_per_token * plan.batch)
    mend = (
        f"--context {context} would fit"
        if context >= _SMALLEST_CONTEXT
        else f"its weights alone take {format_bytes(plan.resident_weight_bytes)}; "
        "take a smaller model or more memory"
    )
    raise MemoryPlanError(
        f"{plan.model} needs {format_bytes(plan.required_bytes)} with a context of {plan.context} "
        f"and {format_bytes(plan.memory_bytes)} are free: {mend}"
    )
