"""A model in full precision, whatever its file holds: to be changed, and then stored anew."""

from dataclasses import dataclass

import torch

from ostro.config import WEIGHT_TYPES, Geometry, WeightType
from ostro.text.vocabulary import Vocabulary
from ostro.weights.quantise import dense_tensor, to_dense
from ostro.weights.slots import Slot
from ostro.weights.source import SlotSource
from ostro.weights.stored import StoredTensor


@dataclass(frozen=True)
class Dequantised:
    """Quantised slots as float32; dense ones as they are."""

    base: SlotSource

    @property
    def geometry(self) -> Geometry:
        """That of the model."""
        return self.base.geometry

    @property
    def matrix_type(self) -> WeightType:
        """The model's, unless that is quantised."""
        kind = self.base.matrix_type
        return kind if kind.is_dense else WEIGHT_TYPES["F32"]

    @property
    def vocabulary(self) -> Vocabulary | None:
        """That of the model."""
        return self.base.vocabulary

    def read(self, slot: Slot) -> StoredTensor:
        """One slot's numbers."""
        stored = self.base.read(slot)
        return stored if stored.type.is_dense else dense_tensor(to_dense(stored, torch.float32))

    def file_of(self, slot: Slot) -> str:
        """The model's file."""
        return self.base.file_of(slot)
