"""Any model into any layout that ostro writes, whole or not at all."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostro.config import Geometry, WeightType, format_bytes
from ostro.errors import OstroError
from ostro.kernels.quantise import Quantiser
from ostro.kernels.quantise_twin import quantise_twin
from ostro.runtime.files import whole_directory, whole_file
from ostro.runtime.progress import Advance, Progress
from ostro.weights.assemble import Target
from ostro.weights.checkpoint import Checkpoint, check_finite, most_common_type
from ostro.weights.gguf_writer import write_gguf
from ostro.weights.hf_config import config_from_geometry
from ostro.weights.layouts import GGUF, HF, HF_FUSED, MISTRAL, Layout
from ostro.weights.mistral_params import as_stored, params_from_geometry
from ostro.weights.quantisation_mix import Mix
from ostro.weights.quantise import WRITABLE_TYPES
from ostro.weights.safetensors_writer import MAX_SHARD_BYTES, plan_shards, write_index, write_shard
from ostro.weights.source import SlotSource
from ostro.weights.stored import DTYPE_OF_TYPE, StoredTensor, TensorInfo
from ostro.weights.tokenizer_files import TokenizerFiles

WRITABLE_LAYOUTS = {layout.name: layout for layout in (HF, HF_FUSED, MISTRAL, GGUF)}


@dataclass(frozen=True)
class Written:
    """What a conversion left behind."""

    path: Path
    layout: str
    tensors: int
    bytes: int


def writable_layout(name: str, geometry: Geometry) -> Layout:
    """The layout called ``name``, if a model of this geometry can be written so."""
    if name not in WRITABLE_LAYOUTS:
        known = ", ".join(WRITABLE_LAYOUTS)
        raise OstroError(f"unknown layout {name!r}; ostro writes {known}")
    layout = WRITABLE_LAYOUTS[name]
    if not layout.fits(geometry):
        raise OstroError(f"layout {name} is for mixtures of experts; this model is dense")
    return layout


def require_full_precision(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint with a quantised tensor, of which quantising loses more than it says."""
    for name, info in checkpoint.files.infos.items():
        if not info.type.is_dense:
            raise OstroError(
                f"{info.file}: tensor {name} is quantised already, to {info.type.name}; start from "
                "the model in full precision, or say --requantise to lose a little more"
            )


def write_model(
    source: SlotSource,
    tokenizer: TokenizerFiles,
    path: Path,
    *,
    layout: Layout,
    kind: WeightType | Mix | None,
    progress: Progress,
    name: str,
    quantise: Quantiser = quantise_twin,
    after_tensor: Callable[[], None] | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> Written:
    """Write ``source`` to ``path``: a directory, or for GGUF a file.

    ``kind=None`` keeps every tensor's type; nothing is requantised unless asked for.
    ``after_tensor`` is called when one is written: a source may then give memory back.
    """
    _check_type(kind, layout)
    if layout.family == "gguf" and path.suffix != ".gguf":
        raise OstroError(f"{path}: a GGUF file's name must end in .gguf")
    if path.exists():
        raise OstroError(f"{path} exists already; remove it or choose another name")
    geometry = as_stored(source.geometry) if layout.family == "mistral" else source.geometry
    target = Target(source, geometry, layout, kind, quantise)
    infos = target.infos()
    size = sum(info.bytes for info in infos.values())
    _check_disk(path, size)
    with progress.task(f"writing {path.name}", size, "bytes") as advance:
        tensors = _Stream(target, infos, advance, after_tensor)
        if layout.family == "gguf":
            vocabulary = tokenizer.vocabulary(source.vocabulary)
            with whole_file(path) as temporary:
                file_type = kind.file_type if isinstance(kind, Mix) else None
                write_gguf(
                    temporary, geometry, infos, tensors, vocabulary, name=name, file_type=file_type
                )
        else:
            with whole_directory(path) as folder:
                stem = "model" if layout.family == "hf" else "consolidated"
                shards = plan_shards(infos, stem, max_shard_bytes if stem == "model" else size)
                for shard in shards:
                    write_shard(folder / shard.name, shard, tensors.of(list(shard.infos)))
                if len(shards) > 1:
                    write_index(folder / f"{stem}.safetensors.index.json", shards)
                _write_config(folder, geometry, layout, _dense_type(infos), tokenizer.special_ids())
                tokenizer.write(folder, source.vocabulary)
    return Written(path, layout.name, len(infos), size)


def _check_type(kind: WeightType | Mix | None, layout: Layout) -> None:
    if kind is None:
        return
    if layout.family != "gguf" and (isinstance(kind, Mix) or not kind.is_dense):
        raise OstroError(f"type {kind.name} can only be written as GGUF, not as {layout.name}")
    if isinstance(kind, WeightType) and kind.name not in WRITABLE_TYPES:
        raise OstroError(f"cannot write {kind.name}; use one of {', '.join(WRITABLE_TYPES)}")


class _Stream:
    """The target's tensors in order, checked, with progress."""

    def __init__(
        self,
        target: Target,
        infos: dict[str, TensorInfo],
        advance: Advance,
        after_tensor: Callable[[], None] | None,
    ) -> None:
        self._target, self._infos, self._advance = target, infos, advance
        self._after_tensor = after_tensor
        self._groups = target.groups()

    def of(self, names: list[str]) -> Iterator[StoredTensor]:
        for name in names:
            stored = self._target.tensor(self._groups[name])
            if stored.type.is_dense:
                check_finite(stored.data, self._target.file_of(self._groups[name][0][0]))
            yield stored
            del stored  # It may lie in the source's pages.
            if self._after_tensor is not None:
                self._after_tensor()
            self._advance(self._infos[name].bytes)


def _dense_type(infos: dict[str, TensorInfo]) -> str:
    """The name of the dtype that most bytes are in, as config.json wants it."""
    return str(DTYPE_OF_TYPE[most_common_type(infos.values()).name]).removeprefix("torch.")


def _write_config(
    folder: Path, geometry: Geometry, layout: Layout, dtype: str, special: dict[str, Any]
) -> None:
    if layout.family == "hf":
        file, values = "config.json", config_from_geometry(geometry, dtype, special)
    else:
        file, values = "params.json", params_from_geometry(geometry)
    (folder / file).write_text(json.dumps(values, indent=2) + "\n")


def _check_disk(path: Path, size: int) -> None:
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OstroError(
            f"{path} needs {format_bytes(size)}, but only {format_bytes(free)} are free there"
        )
