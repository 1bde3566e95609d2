"""Stored tensors of a target layout, put together slot by slot."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ostro.config import WEIGHT_TYPES, Geometry, WeightType
from ostro.config.weight_types import fitting_type
from ostro.errors import OstroError
from ostro.kernels.quantise import Quantiser
from ostro.kernels.quantise_twin import quantise_twin
from ostro.weights.layouts import Layout, Parts, Placement
from ostro.weights.quantisation_mix import Mix
from ostro.weights.quantise import narrowed, to_type
from ostro.weights.slots import EXACT_KINDS, Slot, slot_shape
from ostro.weights.source import SlotSource
from ostro.weights.stored import StoredTensor, TensorInfo, head_rows_to_pairs

_F32 = WEIGHT_TYPES["F32"]


@dataclass(frozen=True)
class Target:
    """A model to be written: from where, in which layout, as which type (None: as it is)."""

    source: SlotSource
    geometry: Geometry
    layout: Layout
    kind: WeightType | Mix | None
    quantise: Quantiser = quantise_twin

    def groups(self) -> Mapping[str, Parts]:
        """The slots of every tensor to be written."""
        return self.layout.tensors(self.geometry)

    def infos(self) -> dict[str, TensorInfo]:
        """Type and shape of every tensor to be written; nothing is converted yet."""
        return {
            name: TensorInfo(self._tensor_type(parts), parts[0][1].shape, name)
            for name, parts in self.groups().items()
        }

    def tensor(self, parts: Parts) -> StoredTensor:
        """One tensor with all its slots in place."""
        kind, shape = self._tensor_type(parts), parts[0][1].shape
        if not parts[0][1].index:
            return self._slot(*parts[0], kind)
        whole: torch.Tensor | None = None
        for slot, placement in parts:
            stored = self._slot(slot, placement, kind)
            if whole is None:
                whole = torch.empty((*shape[:-1], stored.data.shape[-1]), dtype=stored.data.dtype)
            whole[placement.index] = stored.data
        assert whole is not None
        return StoredTensor(kind, whole)

    def file_of(self, slot: Slot) -> str:
        """Where a slot comes from, for messages."""
        return self.source.file_of(self._origin(slot))

    def _slot(self, slot: Slot, placement: Placement, kind: WeightType) -> StoredTensor:
        read = self.source.read(self._origin(slot))
        stored = to_type(read, kind, quantise=self.quantise, where=self.file_of(slot))
        if placement.interleaved:
            stored = stored.rows(head_rows_to_pairs(stored.shape[0], self.geometry.head_dim))
        return StoredTensor(kind, stored.data.T) if placement.transposed else stored

    def _origin(self, slot: Slot) -> Slot:
        """The source's slot: a layout that knows no tied head gets a copy of the embedding."""
        tied = slot.kind == "head" and self.source.geometry.tied_embeddings
        return Slot("embedding") if tied else slot

    def _tensor_type(self, parts: Parts) -> WeightType:
        kinds = {self._slot_type(slot) for slot, _ in parts}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.name for kind in kinds))
            raise OstroError(
                f"{parts[0][1].tensor} would hold parts of several types ({names}); "
                "give --type to convert them all to one"
            )
        return kinds.pop()

    def _slot_type(self, slot: Slot) -> WeightType:
        if self.kind is not None and slot.kind not in EXACT_KINDS:
            columns = slot_shape(self.geometry, slot.kind)[-1]
            return fitting_type(self._wanted_type(slot, self.kind), columns)
        stored = self.source.read(self._origin(slot))
        if slot.kind in EXACT_KINDS:
            return self._exact_type(stored)
        if self.layout.family != "gguf" and not stored.type.is_dense:
            raise OstroError(
                f"{self.file_of(slot)} is quantised to {stored.type.name}, which only GGUF "
                "can hold; give --type F32, BF16 or F16 to dequantise it"
            )
        return stored.type

    def _wanted_type(self, slot: Slot, kind: WeightType | Mix) -> WeightType:
        return kind.type_of(slot, self.geometry) if isinstance(kind, Mix) else kind

    def _exact_type(self, stored: StoredTensor) -> WeightType:
        """GGUF wants float32; elsewhere the matrices' type if that loses nothing."""
        if self.layout.family == "gguf":
            return _F32
        kind = self.kind if isinstance(self.kind, WeightType) else self.source.matrix_type
        return narrowed(stored, kind).type
