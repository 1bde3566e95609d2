"""What single rows of a step want of a layer, as the native kernels read it."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostro.kernels.router import RouterRule, RowRules
from ostro.kernels.structures import Rule, Steering


@dataclass(frozen=True)
class NativeSteering:
    """One layer's steering in one step, with the memory that it points into."""

    struct: Steering
    held: Any

    @property
    def slots(self) -> int:
        """K of the step."""
        slots: int = self.struct.slots
        return slots


def native_steering(rows: RowRules) -> NativeSteering:
    """Describe one layer's rules."""
    factors = [_floats(rule.factors) for rule in rows.rules]
    rules = (Rule * len(rows.rules))(
        *(_rule(rule, floats) for rule, floats in zip(rows.rules, factors, strict=True))
    )
    struct = Steering(rows.rule_of_row_T.data_ptr(), ctypes.addressof(rules), rows.slots)
    return NativeSteering(struct, (rows, rules, factors))


def _rule(rule: RouterRule, factors: Any) -> Rule:
    address = None if factors is None else ctypes.addressof(factors)
    return Rule(rule.allowed, rule.forced, address, rule.top_k)


def _floats(values: Sequence[float] | None) -> Any:
    return None if values is None else (ctypes.c_float * len(values))(*values)
