"""``ostro plan``: what a model takes and how fast it can go."""

from ostro.cli.output import print_json, print_rows
from ostro.config import Plan, format_bytes, format_count, parse_bytes, weight_type
from ostro.engine.planning import describe_model, plan_model
from ostro.runtime.environment import Environment


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
    plan = plan_model(
        describe_model(model, environment),
        environment,
        kind=None if kind is None else weight_type(kind),
        context=context,
        batch=batch,
        memory_bytes=None if memory is None else parse_bytes(memory),
        threads=threads,
    )
    if as_json:
        print_json(plan.to_dict())
    else:
        print_rows(_rows(plan))


def _rows(plan: Plan) -> list[tuple[str, str]]:
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
        ("fits", "yes" if plan.fits else "no"),
        ("work a token", f"{plan.flops_per_token / 1e9:.3g} GFLOP at the full context"),
        ("read a token", format_bytes(plan.read_bytes_per_token)),
        ("read bandwidth", f"{format_bytes(plan.read_bandwidth)}/s, measured here"),
        ("decoding, at most", f"{plan.decode_tokens_per_second_ceiling:.3g} tokens/s"),
    ]
