"""An adapter merged into a model's weights: W + scale * B A, in the type that W has."""

import torch

from ostro.errors import OstroError
from ostro.model.lora import Adapter
from ostro.weights.adapters import additions_of
from ostro.weights.quantise import dense_tensor
from ostro.weights.slots import Slot
from ostro.weights.source import Derived, SlotSource
from ostro.weights.stored import StoredTensor


class Merged(Derived):
    """A model with an adapter in its weights, to be written or loaded as any other."""

    def __init__(self, base: SlotSource, adapter: Adapter) -> None:
        """Nothing is computed before a slot is read."""
        super().__init__(base)
        self._name, self._routers = adapter.name, adapter.routers
        self._additions = additions_of(adapter, base.geometry)

    def read(self, slot: Slot) -> StoredTensor:
        """The model's numbers, and what the adapter adds; the sum is taken in float32.

        A quantised matrix is refused: storing the sum would quantise it again.
        """
        if self._routers and slot.kind == "router":
            return dense_tensor(self._routers[slot.layer])
        stored = self.base.read(slot)
        addition = self._additions.get(slot)
        if addition is None:
            return stored
        if not stored.type.is_dense:
            raise OstroError(
                f"{self.file_of(slot)} is quantised to {stored.type.name}, which the sum with "
                f"adapter {self._name!r} would have to be once more; say --type, such as F16"
            )
        total = stored.data.to(torch.float32) + addition.delta().to(stored.data.device)
        return StoredTensor(stored.type, total.to(stored.data.dtype))
