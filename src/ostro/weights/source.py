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
