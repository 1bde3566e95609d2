"""A model in full precision, whatever its file holds: to be changed, and then stored anew."""

import torch

from ostro.config import WEIGHT_TYPES, WeightType
from ostro.weights.quantise import dense_tensor, to_dense
from ostro.weights.slots import Slot
from ostro.weights.source import Derived
from ostro.weights.stored import StoredTensor


class Dequantised(Derived):
    """Quantised slots as float32; dense ones as they are."""

    @property
    def matrix_type(self) -> WeightType:
        """The model's, unless that is quantised."""
        kind = self.base.matrix_type
        return kind if kind.is_dense else WEIGHT_TYPES["F32"]

    def read(self, slot: Slot) -> StoredTensor:
        """One slot's numbers."""
        stored = self.base.read(slot)
        return stored if stored.type.is_dense else dense_tensor(to_dense(stored, torch.float32))
