"""``ostro plan``: what a model takes and how fast it can go."""

from ostro.cli.output import print_json, print_rows
from ostro.config import Plan, format_bytes, format_count, weight_type
from ostro.config.memory_split import MemorySplit
from ostro.engine.planning import (
    capped_speed,
    describe_model,
    memory_cap,
    model_disk_bandwidth,
    plan_model,
    plan_split,
)
from ostro.runtime.environment import Environment
from ostro.runtime.memory import resident_bytes


def run(
    model: str,
    kind: str | None,
    context: int | None,
    batch: int,
    memory: str | None,
    threads: int | None,
    *,
    as_json: bool,
) -> None:
    """Print the plan as a table or as JSON."""
    environment = Environment.read()
    description = describe_model(model, environment)
    cap = memory_cap(memory, environment)
    plan = plan_model(
        description,
        environment,
        kind=None if kind is None else weight_type(kind),
        context=context,
        batch=batch,
        memory_bytes=cap,
        threads=threads,
    )
    split = None
    if cap is not None or not plan.fits:
        # What is free is free beside this process, and a cap holds it too.
        room = plan.memory_bytes + resident_bytes() if cap is None else cap
        split = plan_split(plan, description.geometry, cap_bytes=room)
    speed: float | None = plan.decode_tokens_per_second_ceiling
    if split is not None and not split.holds_all:
        speed = capped_speed(plan, split, model_disk_bandwidth(model, environment))
    if as_json:
        document = plan.to_dict()
        document["split"] = None if split is None else split.to_dict()
        document["expected_tokens_per_second"] = speed
        print_json(document)
    else:
        print_rows(_rows(plan, split) + ([] if split is None else _split_rows(split, speed)))


def _rows(plan: Plan, split: MemorySplit | None) -> list[tuple[str, str]]:
    dequantised = plan.stored_type != plan.compute_type
    in_memory = format_bytes(plan.resident_weight_bytes)
    if dequantised:
        in_memory += f" (dequantised to {plan.compute_type})"
    sequences = "1 sequence" if plan.batch == 1 else f"{plan.batch} sequences"
    return [
        ("model", plan.model),
        ("parameters", f"{format_count(plan.total_parameters)} ({plan.total_parameters:,})"),
        ("active a token", f"{format_count(plan.active_parameters)} ({plan.active_parameters:,})"),
        ("weights on disk", f"{format_bytes(plan.weight_bytes)} as {plan.stored_type}"),
        ("prepared weights", f"{format_bytes(plan.prepared_bytes)} on disk, made at first use"),
        ("weights in memory", in_memory),
        (
            "keys and values",
            f"{format_bytes(plan.kv_bytes)} for {sequences} of {plan.context:,} tokens "
            f"({plan.kv_bytes_per_token:,} B a token)",
        ),
        ("workspace", format_bytes(plan.workspace_bytes)),
        ("needed", format_bytes(plan.required_bytes)),
        ("memory", format_bytes(plan.memory_bytes)),
        ("fits", "yes" if plan.fits and (split is None or split.holds_all) else "no"),
        ("work a token", f"{plan.flops_per_token / 1e9:.3g} GFLOP at the full context"),
        ("read a token", format_bytes(plan.read_bytes_per_token)),
        ("read bandwidth", f"{format_bytes(plan.read_bandwidth)}/s, measured here"),
        ("decoding, at most", f"{plan.decode_tokens_per_second_ceiling:.3g} tokens/s"),
    ]


def _split_rows(split: MemorySplit, speed: float | None) -> list[tuple[str, str]]:
    """How a cap is split between what must be in memory and the experts' pool."""
    if not split.fits:
        least = f"not in this memory; the least is --memory {split.smallest_memory}"
        return [("with experts on disk", least)]
    expected = f"{speed:.2g} tokens/s" if speed else "its disk's speed is not known"
    return [
        (
            "with experts on disk",
            f"{split.slots} of {split.num_experts} experts in memory, "
            f"{format_bytes(split.pool_bytes)}",
        ),
        (
            "beside them",
            f"{format_bytes(split.process_bytes)} process, "
            f"{format_bytes(split.shared_weight_bytes)} attention, embedding and head, "
            f"{format_bytes(split.kv_bytes)} keys and values, "
            f"{format_bytes(split.workspace_bytes)} workspace",
        ),
        ("read from disk a token", f"{format_bytes(split.read_bytes_per_token)}, evenly routed"),
        ("decoding, expected", expected),
    ]
