"""A model's parameters as the source of a checkpoint: what training writes."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ostro.config import Geometry, WeightType
from ostro.text.vocabulary import Vocabulary
from ostro.weights.layouts import MODEL
from ostro.weights.quantise import dense_tensor
from ostro.weights.slots import Slot
from ostro.weights.stored import TYPE_OF_DTYPE, StoredTensor


@dataclass(frozen=True)
class Parameters:
    """Dense parameters by their names in the model's definition."""

    geometry: Geometry
    tensors: Mapping[str, Tensor]
    vocabulary: Vocabulary | None = None

    @property
    def matrix_type(self) -> WeightType:
        """That of the embedding, as of every matrix."""
        return TYPE_OF_DTYPE[self.tensors["embedding_VD"].dtype]

    def read(self, slot: Slot) -> StoredTensor:
        """One slot's numbers."""
        place = MODEL.place(self.geometry, slot)
        tensor = self.tensors[place.tensor].detach().cpu()
        return dense_tensor(tensor[place.index] if place.index else tensor)

    def file_of(self, slot: Slot) -> str:
        """The parameter's name."""
        return f"parameter {MODEL.place(self.geometry, slot).tensor}"
