"""What a model is: geometry, presets, and the arithmetic that follows from them.

This room uses the standard library only and imports nothing but :mod:`ostro.errors`.
"""

from ostro.config.arithmetic import (
    ParameterCounts,
    attention_flops_per_token,
    count_parameters,
    flops_per_token,
    kv_bytes_per_token,
    weight_bytes,
)
from ostro.config.geometry import Geometry
from ostro.config.plan import Plan, make_plan
from ostro.config.presets import PRESETS
from ostro.config.rope_scaling import RopeScaling
from ostro.config.units import format_bytes, format_count, parse_bytes
from ostro.config.weight_types import WEIGHT_TYPES, WeightType, weight_type

__all__ = [
    "PRESETS",
    "WEIGHT_TYPES",
    "Geometry",
    "ParameterCounts",
    "Plan",
    "RopeScaling",
    "WeightType",
    "attention_flops_per_token",
    "count_parameters",
    "flops_per_token",
    "format_bytes",
    "format_count",
    "kv_bytes_per_token",
    "make_plan",
    "parse_bytes",
    "weight_bytes",
    "weight_type",
]
