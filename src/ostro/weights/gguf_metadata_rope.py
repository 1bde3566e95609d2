"""Rope scaling in GGUF's metadata, in and out.

Keys and defaults as in llama.cpp, in which a factor without a type is linear, YaRN multiplies
cosines and sines by ``attn_factor`` *and* by 0.1 ln(factor) + 1, and its line always begins and
ends at whole pairs.
"""

from collections.abc import Callable

from ostro.config import RopeScaling
from ostro.config.rope_scaling import yarn_magnitude
from ostro.errors import CheckpointError
from ostro.weights.decimals import shortest
from ostro.weights.fields import Fields
from ostro.weights.hf_rope import stretched_context


def scaling_from_metadata(
    fields: Fields, key: Callable[[str], str], context_length: int
) -> tuple[RopeScaling | None, int]:
    """The scaling, and how many tokens are read with it where the file says ``context_length``.

    ``key`` puts the architecture's name before a key.
    """
    kind = fields.get(key("rope.scaling.type"), "linear")
    if kind not in ("none", "linear", "yarn"):
        raise CheckpointError(
            f"{fields.source}: rope scaling {kind!r} is not supported; ostro computes linear, yarn"
        )
    factor = shortest(fields.number(key("rope.scaling.factor"), 0.0))
    # Older files had one key for all; 0 stands for no scaling in both.
    older = shortest(fields.number(key("rope.scale_linear"), 0.0))
    factor = factor or older or 1.0
    if kind == "yarn":
        return _yarn(fields, key, factor, context_length)
    # What only YaRN reads may stand in files without it.
    for suffix in ("original_context_length", "yarn_beta_fast", "yarn_beta_slow"):
        fields.ignore([key(f"rope.scaling.{suffix}")])
    for suffix in ("attn_factor", "yarn_attn_factor"):
        fields.expect(key(f"rope.scaling.{suffix}"), 1.0)
    if kind == "none" and factor != 1:
        raise CheckpointError(
            f"{fields.source}: {key('rope.scaling.type')} is none, but the factor is {factor}; "
            "remove one"
        )
    if factor == 1:
        return None, context_length
    return RopeScaling(kind="linear", factor=factor), context_length


def metadata_from_scaling(scaling: RopeScaling | None) -> dict[str, int | float | str]:
    """The keys without the architecture's name; none for a model without scaling."""
    if scaling is None:
        return {}
    values: dict[str, int | float | str] = {"type": scaling.kind, "factor": float(scaling.factor)}
    if scaling.kind == "yarn":
        if not scaling.truncate:
            raise CheckpointError(
                "GGUF has no place for yarn's truncate = false; write this model as hf"
            )
        assert scaling.original_context is not None
        values["original_context_length"] = scaling.original_context
        if scaling.attention_factor is not None:
            own = yarn_magnitude(scaling.factor)
            values["attn_factor"] = scaling.attention_factor / own
        for name, default in (("beta_fast", 32.0), ("beta_slow", 1.0)):
            if getattr(scaling, name) != default:
                values[f"yarn_{name}"] = float(getattr(scaling, name))
    return {f"rope.scaling.{suffix}": value for suffix, value in values.items()}


def _yarn(
    fields: Fields, key: Callable[[str], str], factor: float, context_length: int
) -> tuple[RopeScaling, int]:
    original = fields.integer(key("rope.scaling.original_context_length"), context_length)
    share = fields.number(key("rope.scaling.attn_factor"), 1.0)
    fields.expect(key("rope.scaling.yarn_attn_factor"), 1.0)
    fields.expect(key("rope.scaling.yarn_ext_factor"), 1.0)
    own = yarn_magnitude(max(factor, 1.0))
    scaling = RopeScaling(
        kind="yarn",
        factor=factor,
        original_context=original,
        attention_factor=None if share == 1 else shortest(share, own),
        beta_fast=shortest(fields.number(key("rope.scaling.yarn_beta_fast"), 32.0)),
        beta_slow=shortest(fields.number(key("rope.scaling.yarn_beta_slow"), 1.0)),
    )
    return scaling, stretched_context(context_length, factor, original)
