"""The models that the benchmarks measure: synthesised once, and kept in the cache."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ostro.config import Geometry, WeightType, format_bytes, weight_bytes, weight_type
from ostro.config.arithmetic import read_bytes
from ostro.errors import OstroError
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.prepared import prepared_path
from ostro.weights.synthesize import synthetic, write_synthetic

# The OSTRO_HOME of the measured ostro, in the cache: what it prepares lies there.
HOME = "ostro"
# Headers and alignment.
_SLACK = 1.02


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
    """The model's file in the cache, written there on first use.

    Ostro prepares as many bytes again. Where the disk has no room for both, models that were used
    longest ago leave the cache first.
    """
    path = cache / "models" / model.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {path}
    if path.exists():
        prepared = prepared_path(open_checkpoint(path), cache / HOME / "prepared")
        kept.add(prepared)
        for used in kept & set(_files(cache)):
            used.touch()
        wanted = 0 if prepared.exists() else model.bytes
    else:
        wanted = 2 * model.bytes
    make_room(cache, int(wanted * _SLACK), kept)
    if not path.exists():
        source = synthetic(model.preset, model.type, layers=model.layers, context=model.context)
        write_synthetic(source, path, name=f"benchmark {model.file_name}", progress=progress)
    return path


def make_room(cache: Path, wanted: int, kept: Collection[Path]) -> None:
    """Free ``wanted`` bytes by deleting models that were not used for longest.

    Where even all of them would not do, none is deleted, and an error says what is missing.
    """
    others = sorted(set(_files(cache)) - set(kept), key=lambda file: file.stat().st_mtime)
    most = shutil.disk_usage(cache).free + sum(file.stat().st_size for file in others)
    if most < wanted:
        raise OstroError(
            f"{format_bytes(wanted)} are needed in {cache}, but no more than "
            f"{format_bytes(most)} can be freed; make room, or give another folder with --cache"
        )
    for file in others:
        if shutil.disk_usage(cache).free >= wanted:
            return
        file.unlink()


def prepared_files(cache: Path) -> list[Path]:
    """What ostro prepared of the models."""
    return [*(cache / HOME / "prepared").glob("*.prepared")]


def _files(cache: Path) -> list[Path]:
    """Everything in the cache that can be made again without a network."""
    return [*(cache / "models").glob("*.gguf"), *prepared_files(cache)]
