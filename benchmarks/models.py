"""The models that the benchmarks measure: synthesised once, and kept in the cache."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ostro.config import Geometry, WeightType, format_bytes, weight_bytes, weight_type
from ostro.config.arithmetic import read_bytes
from ostro.errors import OstroError
from ostro.runtime.progress import Progress
from ostro.weights.synthesize import synthetic, write_synthetic


@dataclass(frozen=True)
class Model:
    """A synthetic model: a preset's geometry, maybe with fewer layers or more context."""

    preset: str
    type_name: str
    layers: int | None = None
    context: int | None = None

    @property
    def type(self) -> WeightType:
        """What the matrices are stored in."""
        return weight_type(self.type_name)

    @property
    def geometry(self) -> Geometry:
        """The preset's, changed."""
        source = synthetic(self.preset, self.type, layers=self.layers, context=self.context)
        return source.geometry

    @property
    def bytes(self) -> int:
        """Of all weights."""
        return weight_bytes(self.geometry, self.type)

    @property
    def read_bytes(self) -> float:
        """Of the weights that one token reads."""
        return read_bytes(self.geometry, self.type)

    @property
    def file_name(self) -> str:
        """Says everything that the file depends on."""
        layers = "" if self.layers is None else f"-{self.layers}layers"
        context = "" if self.context is None else f"-{self.context}context"
        return f"{self.preset}{layers}{context}.{self.type_name}.gguf"


def model_file(model: Model, cache: Path, progress: Progress) -> Path:
    """The model's file in the cache, written there on first use if the disk has room for it."""
    path = cache / "models" / model.file_name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if model.bytes * 1.02 > free:
        raise OstroError(
            f"{path} needs {format_bytes(model.bytes)}, but only {format_bytes(free)} are free "
            "there; give another folder with --cache"
        )
    source = synthetic(model.preset, model.type, layers=model.layers, context=model.context)
    write_synthetic(source, path, name=f"benchmark {model.file_name}", progress=progress)
    return path
