"""Rotary positions as Hugging Face's ``config.json`` spells them, in and out.

Transformers 4 writes ``rope_theta`` at the top and ``rope_scaling`` beside it; transformers 5 puts
both into ``rope_parameters``.
"""

from dataclasses import dataclass
from typing import Any

from ostro.config import Geometry, RopeScaling
from ostro.config.rope_scaling import yarn_magnitude
from ostro.errors import CheckpointError
from ostro.weights.fields import Fields

_KINDS = ("default", "linear", "yarn")
_BY_LENGTH = (
    "it depends on the current length, so that keys which are in the cache already would have to "
    "be turned again; yarn does not, nor do linear and a fixed ntk factor"
)
_REFUSED = {
    "dynamic": _BY_LENGTH,
    "longrope": _BY_LENGTH,
    "llama3": "it is Llama 3.1's own and ostro does not compute it; linear and yarn it does",
}


@dataclass(frozen=True)
class Rope:
    """What a configuration says about positions."""

    theta: float
    scaling: RopeScaling | None
    context_length: int
    """Tokens that the model reads with its scaling."""


def read_rope(fields: Fields, *, theta: float, context_length: int) -> Rope:
    """Read whichever table there is; ``theta`` is the base where the file names none."""
    theta = fields.number("rope_theta", theta)
    tables = [fields.table(key) for key in ("rope_scaling", "rope_parameters")]
    named = [table for table in tables if table is not None]
    for table in named:
        rope_kind(table)
    # Transformers takes the first, and with it loses the base that the second may name.
    if len(named) > 1 and named[0].values != named[1].values:
        raise CheckpointError(
            f"{fields.source}: rope_scaling and rope_parameters say different things; keep one, "
            "with rope_theta in it"
        )
    if not named:
        return Rope(theta, None, context_length)
    return read_rope_table(named[-1], theta=theta, context_length=context_length)


def read_rope_table(table: Fields, *, theta: float, context_length: int) -> Rope:
    """Read one table to its end."""
    kind = rope_kind(table)
    theta = table.number("rope_theta", theta)
    table.expect("partial_rotary_factor", 1.0)
    scaling, original = None, None
    if kind != "default":
        # Says only whether weights were trained with it.
        table.ignore(("finetuned",))
        factor = table.number("factor")
        if table.get("original_max_position_embeddings") is not None:
            original = table.integer("original_max_position_embeddings")
        scaling = RopeScaling(kind="linear", factor=factor)
        if kind == "yarn":
            scaling = _yarn(table, factor, context_length if original is None else original)
            original = scaling.original_context
        context_length = stretched_context(context_length, factor, original)
    table.finish()
    return Rope(theta, scaling, context_length)


def rope_kind(table: Fields, *more: str) -> str:
    """The kind of scaling, one of default, linear, yarn or ``more``; others are refused."""
    table.ignore(("type",))
    kind = table.get("rope_type", table.values.get("type") or "default")
    if not isinstance(kind, str):
        raise CheckpointError(f"{table.source}: rope_type must be a name, not {kind!r}")
    if kind in _REFUSED:
        raise CheckpointError(f"{table.source}: {kind!r} is refused: {_REFUSED[kind]}")
    known = (*_KINDS, *more)
    if kind not in known:
        raise CheckpointError(
            f"{table.source}: unknown rope scaling {kind!r}; ostro computes {', '.join(known)}"
        )
    return kind


def rope_settings(geometry: Geometry) -> dict[str, Any]:
    """The keys of ``config.json`` that :func:`read_rope` reads, as transformers 4 and 5 know them.

    ``factor`` and all that is not the default are written.
    """
    settings: dict[str, Any] = {"rope_theta": geometry.rope_theta}
    scaling = geometry.rope_scaling
    if scaling is None:
        return settings
    table: dict[str, Any] = {"rope_type": scaling.kind, "factor": float(scaling.factor)}
    if scaling.kind == "yarn":
        table["original_max_position_embeddings"] = scaling.original_context
        if scaling.attention_factor is not None:
            table["attention_factor"] = float(scaling.attention_factor)
        for name, default in (("beta_fast", 32), ("beta_slow", 1), ("truncate", True)):
            if getattr(scaling, name) != default:
                table[name] = getattr(scaling, name)
    return settings | {"rope_scaling": table}


def stretched_context(configured: int, factor: float, original: int | None) -> int:
    """Tokens that a scaled model reads.

    Files disagree on whether their limit is the one before or after scaling. Where the one before
    has a key of its own the answer is the larger; else the limit is what the file says.
    """
    return configured if original is None else max(configured, round(original * factor))


def _yarn(table: Fields, factor: float, original: int) -> RopeScaling:
    return RopeScaling(
        kind="yarn",
        factor=factor,
        original_context=original,
        attention_factor=_attention_factor(table, factor),
        # Transformers takes its own values for zeros.
        beta_fast=table.number("beta_fast", 32.0) or 32.0,
        beta_slow=table.number("beta_slow", 1.0) or 1.0,
        truncate=table.flag("truncate", True),
    )


def _attention_factor(table: Fields, factor: float) -> float | None:
    """The factor itself, or what DeepSeek's two ``mscale`` make of it."""
    weights = [table.number(name, 0.0) for name in ("mscale", "mscale_all_dim")]
    if table.get("attention_factor") is not None:
        return table.number("attention_factor")
    if not any(weights):
        return None
    if not all(weights):
        raise CheckpointError(
            f"{table.source}: mscale and mscale_all_dim mean something together only; give "
            "attention_factor, or both"
        )
    # RopeScaling refuses factors below 1 itself, in its own words.
    first, second = (yarn_magnitude(max(factor, 1.0), weight) for weight in weights)
    return first / second
