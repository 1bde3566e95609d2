"""Rope scaling chosen when a model is loaded, instead of what its file says."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ostro.config import Geometry
from ostro.config.rope_scaling import ntk_theta
from ostro.errors import OstroError
from ostro.weights.fields import Fields
from ostro.weights.hf_rope import read_rope_table, rope_kind

_SOURCE = "rope scaling"
_ORIGINAL = "original_max_position_embeddings"
_FORMS = "write it as yarn:4, linear:4, ntk:4, default, or as JSON with Hugging Face's names"


def rope_choice(asked: str | Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, in Hugging Face's spelling; kinds that cannot be are refused.

    ``asked`` is such a mapping, the same as JSON, ``KIND:FACTOR``, or ``default`` for none. Beside
    Hugging Face's kinds there is ``ntk``: another base, made from ``factor`` once.
    """
    if not isinstance(asked, str):
        values = dict(asked)
    elif asked.lstrip().startswith("{"):
        values = _parsed(asked)
    else:
        kind, colon, factor = asked.strip().partition(":")
        values = {"rope_type": kind}
        if colon:
            values["factor"] = _factor(factor, asked)
    if not values.get("rope_type") and not values.get("type"):
        raise OstroError(f"{_SOURCE} {asked!r} names no kind; {_FORMS}")
    kind = rope_kind(Fields(values, _SOURCE), "ntk")
    if kind != "default" and values.get("factor") is None:
        raise OstroError(f"{_SOURCE}: {kind} needs a factor; {_FORMS}")
    return values


def stretched(geometry: Geometry, choice: Mapping[str, Any] | None) -> Geometry:
    """The geometry with another scaling and the context that follows, where one was chosen.

    The context is ``factor`` times ``original_max_position_embeddings``, or where that is not given
    times what the model reads without scaling.
    """
    if choice is None:
        return geometry
    fields = Fields(choice, _SOURCE)
    original = fields.integer(_ORIGINAL, geometry.original_context)
    plain = replace(geometry, rope_scaling=None, context_length=original)
    kind = rope_kind(fields, "ntk")
    if kind == "ntk":
        return _ntk(plain, fields)
    values = dict(choice) if kind == "default" else {**choice, _ORIGINAL: original}
    table = Fields(values, _SOURCE)
    rope = read_rope_table(table, theta=plain.rope_theta, context_length=original)
    return replace(
        plain,
        rope_theta=rope.theta,
        rope_scaling=rope.scaling,
        context_length=rope.context_length,
    )


def _ntk(geometry: Geometry, fields: Fields) -> Geometry:
    theta, factor = fields.number("rope_theta", geometry.rope_theta), fields.number("factor")
    fields.finish()
    return replace(
        geometry,
        rope_theta=ntk_theta(theta, factor, geometry.head_dim),
        context_length=round(geometry.context_length * factor),
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OstroError(f"{_SOURCE}: {text!r} is not JSON ({error}); {_FORMS}") from None
    assert isinstance(values, dict)
    return values


def _factor(text: str, asked: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OstroError(f"{_SOURCE} {asked!r}: {text!r} is no factor; {_FORMS}") from None
