"""What single rows of a step want of a layer, as the native kernels read it."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostro.kernels.lora import LowRank
from ostro.kernels.router import RouterRule, RowRules
from ostro.kernels.structures import Adapters, LoRA, Rule, Steering


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


class NativeLowRanks:
    """What one adapter adds to some matrices of a layer, one after another, in float32."""

    def __init__(self, additions: Sequence[LowRank | None]) -> None:
        self._held = [None if x is None else _float_factors(x) for x in additions]
        self._loras = (LoRA * len(additions))()
        for number, (addition, factors) in enumerate(zip(additions, self._held, strict=True)):
            if addition is not None and factors is not None:
                a_RI, b_RO = factors
                self._loras[number] = LoRA(
                    a_RI.data_ptr(), b_RO.data_ptr(), len(a_RI), addition.scale
                )
        self.address = ctypes.addressof(self._loras)
        self.most_rank = max((lora.rank for lora in self._loras), default=0)


def _float_factors(addition: LowRank) -> tuple[Tensor, Tensor]:
    """A ``[R, I]`` and B transposed ``[R, O]``; copied only where they are not so already."""
    return (
        addition.a_RI.to(torch.float32).contiguous(),
        addition.b_OR.T.to(torch.float32).contiguous(),
    )


@dataclass(frozen=True)
class NativeAdapters:
    """The adapters of a step's rows in half a layer, with the memory that it points into."""

    struct: Adapters
    held: Any


def native_adapters(
    adapter_of_row_T: Tensor, adapters: Sequence[NativeLowRanks]
) -> NativeAdapters | None:
    """Describe which of ``adapters`` holds for which row: int32, -1 for none.

    None if they add nothing in this half of the layer.
    """
    if not any(adapter.most_rank for adapter in adapters):
        return None
    pointers = (ctypes.c_void_p * len(adapters))(*(adapter.address for adapter in adapters))
    most_rank = max(adapter.most_rank for adapter in adapters)
    struct = Adapters(adapter_of_row_T.data_ptr(), ctypes.addressof(pointers), most_rank)
    return NativeAdapters(struct, (adapter_of_row_T, pointers, tuple(adapters)))
