"""What is known of a model before its weights are touched: for plans and for listings."""

import json
from dataclasses import dataclass
from pathlib import Path

from ostro.config import PRESETS, WEIGHT_TYPES, Geometry, WeightType
from ostro.weights.checkpoint import open_checkpoint


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


def describe_path(path: Path, name: str) -> Description:
    """A checkpoint on disk."""
    checkpoint = open_checkpoint(path)
    return Description(name, checkpoint.geometry, checkpoint.matrix_type, checkpoint.stored_bytes)


def read_json(path: Path) -> dict[str, object]:
    """A JSON table from a file already known to be one."""
    values = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values
