"""A model whose rotary positions turn by another base; its weights stay as they are."""

from dataclasses import replace

from ostro.config import Geometry
from ostro.weights.source import Derived, SlotSource


class WithRopeTheta(Derived):
    """A model with slower turning pairs (a larger ``rope_theta``) or faster ones.

    The slowest pair of a head of width d turns (new / old)^((d - 2) / d) times slower: the adjusted
    base frequency of Xiong et al., 2023 (arXiv:2309.16039).
    """

    def __init__(self, base: SlotSource, rope_theta: float) -> None:
        """``rope_theta`` must be above 0; that is checked where the geometry is asked for."""
        super().__init__(base)
        self._rope_theta = rope_theta

    @property
    def geometry(self) -> Geometry:
        """The model's, with the other base."""
        return replace(self.base.geometry, rope_theta=self._rope_theta)
