"""How often experts were chosen in the steps so far: what a balance loss may balance.

Balanced within each micro-batch, a few texts must use all experts alike, and no expert can have a
kind of text for itself. Counted over many texts, only the whole must be even (Qiu et al., Demons in
the detail, 2025, who count over global batches; here older steps count less and less).
"""

import torch
from torch import Tensor

from ostro.config import Geometry
from ostro.model import RouterRecord
from ostro.training.ranks import Ranks

_NAME = "loads.counts"


class ExpertLoads:
    """Counts of choices by layer and expert; those of a step weigh ``memory`` times the next's."""

    def __init__(
        self, record: RouterRecord, geometry: Geometry, ranks: Ranks, memory: float
    ) -> None:
        """With a ``memory`` of 0 every micro-batch is counted by itself."""
        assert 0 <= memory < 1
        self._record, self._ranks, self._memory = record, ranks, memory
        shape = (geometry.num_layers, geometry.num_experts)
        self._before_LE, self._step_LE = (
            torch.zeros(shape, dtype=torch.float64, device=ranks.device) for _ in range(2)
        )

    def counts(self) -> Tensor:
        """``[L, E]``: of the micro-batch that the record holds, and of what came before it."""
        own_LE = self._record.counts()
        return own_LE + self._before_LE + self._step_LE if self._memory else own_LE

    def observe(self) -> None:
        """The record's micro-batch belongs to the step."""
        if self._memory and self._record.layers:
            self._step_LE += self._record.counts()

    def finish_step(self) -> None:
        """All micro-batches of all ranks were observed."""
        if not self._memory:
            return  # Nothing was counted, and ranks need not wait for each other.
        self._before_LE *= self._memory
        self._before_LE += self._ranks.sum_tensor(self._step_LE)
        self._step_LE.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps, to be filled in place when a run goes on."""
        return {"loads.counts": self._before_LE} if self._memory else {}
