"""What is known of a model before its weights are touched: for plans and for listings."""

from dataclasses import dataclass

from ostro.config import PRESETS, WEIGHT_TYPES, Geometry, WeightType
from ostro.weights.checkpoint import Checkpoint


@dataclass(frozen=True)
class Description:
    """A model on paper."""

    name: str
    geometry: Geometry
    stored_type: WeightType
    stored_bytes: int | None
    """Exact bytes on disk, where there are files or an index."""


def describe_preset(name: str) -> Description:
    """A published geometry, in the type it was published in."""
    return Description(name, PRESETS[name], WEIGHT_TYPES["BF16"], None)


def describe(checkpoint: Checkpoint, name: str) -> Description:
    """An opened checkpoint."""
    return Description(name, checkpoint.geometry, checkpoint.matrix_type, checkpoint.stored_bytes)
