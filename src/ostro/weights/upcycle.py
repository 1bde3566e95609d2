"""Sparse upcycling (Komatsuzaki et al., 2023): a mixture of experts from a dense model.

Every expert is a copy of the layer's feed-forward block and the router is new, N(0, 0.02). Since
the router's weights sum to 1, the mixture computes what the dense model does, until training parts
the experts.
"""

from dataclasses import dataclass, replace

import torch

from ostro.config import Geometry, WeightType
from ostro.errors import CheckpointError
from ostro.text.vocabulary import Vocabulary
from ostro.weights.checkpoint import Checkpoint
from ostro.weights.quantise import dense_tensor
from ostro.weights.slots import Slot, slot_shape
from ostro.weights.stored import StoredTensor

_ROUTER_STD = 0.02


@dataclass(frozen=True)
class Upcycled:
    """A mixture made of a dense checkpoint; blocks of quantised parents are copied as they are."""

    parent: Checkpoint
    geometry: Geometry
    seed: int

    @property
    def matrix_type(self) -> WeightType:
        """The parent's."""
        return self.parent.matrix_type

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The parent's."""
        return self.parent.vocabulary

    def read(self, slot: Slot) -> StoredTensor:
        """A router of its own for each layer; everything else from the parent."""
        if slot.kind != "router":
            return self.parent.read(_parents(slot))
        # One generator a layer: a layer's router does not depend on how many layers came before.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + slot.layer)
        shape = slot_shape(self.geometry, "router")
        return dense_tensor(torch.randn(shape, generator=generator) * _ROUTER_STD)

    def file_of(self, slot: Slot) -> str:
        """The parent's file."""
        return "the new router" if slot.kind == "router" else self.parent.file_of(_parents(slot))


def _parents(slot: Slot) -> Slot:
    """The dense slot that every expert copies."""
    return slot._replace(expert=-1)


def upcycle(parent: Checkpoint, *, num_experts: int, top_k: int, seed: int) -> Upcycled:
    """See the module. A parent that is a mixture already is an error."""
    if parent.geometry.is_sparse:
        raise CheckpointError(
            f"{parent.path} has {parent.geometry.num_experts} experts already; give a dense model"
        )
    geometry = replace(parent.geometry, num_experts=num_experts, top_k=top_k)
    return Upcycled(parent, geometry, seed)
