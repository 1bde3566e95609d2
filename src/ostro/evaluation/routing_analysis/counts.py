"""What the router did with one document, counted.

L layers, K choices a token, best first, E experts.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class RoutingCounts:
    """Counts over the tokens of a document, and over its pairs of consecutive tokens."""

    tokens: int
    pairs: int
    chosen_LKE: list[list[list[int]]]
    """How often each expert was a token's first choice, its second, and so on."""
    first_L: list[int]
    """Pairs whose first choices are the same."""
    shared_L: list[int]
    """Pairs whose sets of K experts have one in common at least."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def count_routing(experts_TLK: Tensor, num_experts: int) -> RoutingCounts:
    """Count a document's choices; a slot with expert -1 was not used."""
    choices = torch.arange(num_experts)
    chosen_TLKE = experts_TLK[..., None] == choices
    used_TLE = chosen_TLKE.any(2)
    first_TL = experts_TLK[..., 0]
    return RoutingCounts(
        tokens=len(experts_TLK),
        pairs=max(len(experts_TLK) - 1, 0),
        chosen_LKE=chosen_TLKE.sum(0).tolist(),
        first_L=(first_TL[1:] == first_TL[:-1]).sum(0).tolist(),
        shared_L=(used_TLE[1:] & used_TLE[:-1]).any(-1).sum(0).tolist(),
    )
