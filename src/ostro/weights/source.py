"""Where a model's slots come from: a checkpoint, or something made of one."""

from typing import Protocol

from ostro.config import Geometry, WeightType
from ostro.text.vocabulary import Vocabulary
from ostro.weights.slots import Slot
from ostro.weights.stored import StoredTensor


class SlotSource(Protocol):
    """Anything that can be written as a checkpoint."""

    @property
    def geometry(self) -> Geometry:
        """The model's geometry."""
        ...

    @property
    def matrix_type(self) -> WeightType:
        """The type that most matrix bytes are in."""
        ...

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The vocabulary that travels with the weights, if any."""
        ...

    def read(self, slot: Slot) -> StoredTensor:
        """One slot's numbers, in ostro's rotary order."""
        ...

    def file_of(self, slot: Slot) -> str:
        """Where a slot comes from, for messages."""
        ...


class Derived:
    """What is as in the model that it was made of. A subclass says what is not."""

    def __init__(self, base: SlotSource) -> None:
        """Nothing is read yet."""
        self.base = base

    @property
    def geometry(self) -> Geometry:
        """That of the model."""
        return self.base.geometry

    @property
    def matrix_type(self) -> WeightType:
        """That of the model."""
        return self.base.matrix_type

    @property
    def vocabulary(self) -> Vocabulary | None:
        """That of the model."""
        return self.base.vocabulary

    def read(self, slot: Slot) -> StoredTensor:
        """The model's numbers."""
        return self.base.read(slot)

    def file_of(self, slot: Slot) -> str:
        """The model's file."""
        return self.base.file_of(slot)
