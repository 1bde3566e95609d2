"""How often each expert was chosen, counted over some of an engine's steps."""

import torch
from torch import Tensor

_ROUND, _COUNTED = 64, 8


class RoutingCounts:
    """Counts the routing of a mixture's steps: of the first 8 in every 64, which costs little.

    Consecutive steps are counted, since :mod:`ostro.engine.speculation` looks at the same ones to
    learn how many experts the next tokens of an answer want.
    """

    def __init__(self, num_layers: int, num_experts: int) -> None:
        self._counts_LE = torch.zeros(num_layers, num_experts, dtype=torch.int64)
        self._steps = 0
        self.tokens = 0
        """Tokens whose routing was counted."""

    @property
    def is_due(self) -> bool:
        """Whether the next step is one of those that are counted."""
        return self._steps % _ROUND < _COUNTED

    def observe(self, chosen_LTK: Tensor | None) -> None:
        """A step was made; ``chosen_LTK`` are its experts, -1 in slots that were not used."""
        self._steps += 1
        if chosen_LTK is None:
            return
        flat_LP = chosen_LTK.reshape(len(self._counts_LE), -1).long()
        ones = (flat_LP >= 0).long()
        self._counts_LE.scatter_add_(1, flat_LP.clamp(min=0), ones)
        self.tokens += chosen_LTK.shape[1]

    def shares(self) -> list[list[float]]:
        """Of each layer's assignments, the share of each expert; all 0 before the first step."""
        counts_LE = self._counts_LE.double()
        shares_LE: list[list[float]] = (
            counts_LE / counts_LE.sum(1, keepdim=True).clamp(min=1)
        ).tolist()
        return shares_LE

    def entropies(self) -> list[float]:
        """The entropy of each layer's shares, in bits: 3 where 8 experts share evenly."""
        shares_LE = torch.tensor(self.shares(), dtype=torch.float64)
        entropy_L: list[float] = (
            torch.special.entr(shares_LE).sum(1) / torch.tensor(2.0).log()
        ).tolist()
        return entropy_L
