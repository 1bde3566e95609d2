"""A model whose rotary positions turn by another base; its weights stay as they are."""

from dataclasses import dataclass, replace

from ostro.config import Geometry, WeightType
from ostro.text.vocabulary import Vocabulary
from ostro.weights.slots import Slot
from ostro.weights.source import SlotSource
from ostro.weights.stored import StoredTensor


@dataclass(frozen=True)
class WithRopeTheta:
    """``base`` with slower turning pairs (a larger ``rope_theta``) or faster ones.

    The slowest pair of a head of width d turns (new / old)^((d - 2) / d) times slower: the adjusted
    base frequency of Xiong et al., 2023 (arXiv:2309.16039).
    """

    base: SlotSource
    rope_theta: float

    @property
    def geometry(self) -> Geometry:
        """The model's, with the other base."""
        return replace(self.base.geometry, rope_theta=self.rope_theta)

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
