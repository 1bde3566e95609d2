"""A checkpoint: tensors on disk whose layout is known, and every one of them accounted for."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, Geometry, WeightType
from ostro.errors import CheckpointError
from ostro.runtime.json_files import read_table
from ostro.runtime.mapped_files import release_mapped_pages
from ostro.text.vocabulary import Vocabulary
from ostro.weights.gguf_file import open_gguf
from ostro.weights.gguf_metadata import geometry_from_metadata, vocabulary_from_metadata
from ostro.weights.hf_config import geometry_from_config
from ostro.weights.layouts import LAYOUTS, Family, Layout, Placement
from ostro.weights.mistral_params import geometry_from_params
from ostro.weights.pickle_files import PickleFiles
from ostro.weights.safetensors_files import SafetensorsFiles, index_names, shard_paths
from ostro.weights.slots import EXACT_KINDS, Slot
from ostro.weights.stored import StoredTensor, TensorFiles, TensorInfo, head_rows_to_halves

_HF_INDEX = "model.safetensors.index.json"
_MISTRAL_INDEX = "consolidated.safetensors.index.json"
# Rotary frequencies that old converters saved; they follow from the geometry.
_DERIVED = re.compile(r"(model\.layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """An opened checkpoint. No weight has been read yet."""

    path: Path
    """The directory or file it was opened from."""
    layout: Layout
    geometry: Geometry
    files: TensorFiles
    table: Mapping[Slot, Placement]
    vocabulary: Vocabulary | None = None
    """A vocabulary inside the weight file (GGUF)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The layout's own settings, as they stood."""

    @property
    def matrix_type(self) -> WeightType:
        """The type that most matrix bytes are in."""
        return most_common_type(self.files.infos.values())

    @property
    def stored_bytes(self) -> int:
        """Bytes of all tensors on disk."""
        return sum(info.bytes for info in self.files.infos.values())

    def read(self, slot: Slot) -> StoredTensor:
        """One slot's numbers, mapped where they need no reordering, in ostro's rotary order."""
        placement = self.table[slot]
        stored = self.files.read(placement.tensor).part(placement.index)
        if placement.transposed:
            stored = StoredTensor(stored.type, stored.data.T)
        if placement.interleaved:
            order = head_rows_to_halves(stored.shape[0], self.geometry.head_dim)
            stored = stored.rows(order)
        return stored

    def release_pages(self) -> None:
        """Give back the memory that mapped parts of the files take; they can be read again."""
        release_mapped_pages({Path(info.file) for info in self.files.infos.values()})

    def file_of(self, slot: Slot) -> str:
        """The file that a slot lies in, with its tensor, for messages."""
        name = self.table[slot].tensor
        return f"{self.files.infos[name].file}: tensor {name}"


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a directory or a file in any layout. Damage is a CheckpointError naming the file."""
    if path.is_file():
        if path.suffix == ".gguf":
            return _open_gguf(path)
        raise CheckpointError(f"{path}: give the folder of this file, or a .gguf file")
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such file or directory")
    if (path / "config.json").is_file():
        return _open_hf(path)
    if (path / "params.json").is_file():
        return _open_mistral(path)
    ggufs = sorted(path.glob("*.gguf"))
    if len(ggufs) == 1 or (ggufs and ggufs[0].name.endswith(f"-00001-of-{len(ggufs):05d}.gguf")):
        return _open_gguf(ggufs[0])
    found = (
        f"{len(ggufs)} .gguf files; name one" if ggufs else "neither of config.json, params.json"
    )
    raise CheckpointError(f"{path}: no model here: found {found}")


def most_common_type(infos: Iterable[TensorInfo]) -> WeightType:
    """The type that most bytes of matrices are in."""
    sizes: dict[str, int] = {}
    for info in infos:
        if len(info.shape) > 1:
            sizes[info.type.name] = sizes.get(info.type.name, 0) + info.bytes
    return WEIGHT_TYPES[max(sizes, key=lambda name: sizes[name])]


def check_finite(tensor: Tensor, where: str) -> None:
    """Refuse NaN and infinity. The sum is one fast pass; only a bad sum looks closer."""
    if torch.isfinite(tensor.sum(dtype=torch.float32)) or torch.isfinite(tensor).all():
        return
    raise CheckpointError(f"{where} holds NaN or infinite weights; the file is damaged")


def _open_gguf(path: Path) -> Checkpoint:
    file = open_gguf(path)
    metadata, tied = file.header.metadata, "output.weight" not in file.infos
    geometry = geometry_from_metadata(metadata, str(path), tied=tied)
    vocabulary = vocabulary_from_metadata(metadata, str(path))
    return _checked(path, "gguf", geometry, file, vocabulary=vocabulary, config=metadata)


def _open_hf(path: Path) -> Checkpoint:
    config = read_table(path / "config.json")
    geometry = geometry_from_config(config, str(path / "config.json"))
    files = _safetensors(path, _HF_INDEX, ("model.safetensors",)) or _pickles(
        path, ("pytorch_model*.bin", "*.pt", "*.pth")
    )
    if files is None:
        raise CheckpointError(f"{path}: config.json is here, but no model.safetensors")
    if geometry.tied_embeddings and "lm_head.weight" in files.infos:
        _check_tied(files, path)
    return _checked(path, "hf", geometry, files, config=config)


def _open_mistral(path: Path) -> Checkpoint:
    params = read_table(path / "params.json")
    files = _safetensors(path, _MISTRAL_INDEX, ("consolidated.safetensors",)) or _pickles(
        path, ("consolidated*.pt", "consolidated*.pth")
    )
    if files is None:
        raise CheckpointError(f"{path}: params.json is here, but no consolidated.* weights")
    tied = "output.weight" not in files.infos
    geometry = geometry_from_params(params, str(path / "params.json"), tied=tied)
    return _checked(path, "mistral", geometry, files, config=params)


def _safetensors(folder: Path, index: str, names: Iterable[str]) -> SafetensorsFiles | None:
    if (folder / index).is_file():
        files = SafetensorsFiles(shard_paths(folder, index))
        missing = sorted(index_names(folder, index) - set(files.infos))
        if missing:
            raise CheckpointError(
                f"{folder / index}: names tensor {missing[0]}, which is in no file"
            )
        return files
    paths = [folder / name for name in names if (folder / name).is_file()]
    return SafetensorsFiles(paths) if paths else None


def _pickles(folder: Path, patterns: Iterable[str]) -> PickleFiles | None:
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return PickleFiles(paths) if paths else None


def _check_tied(files: TensorFiles, path: Path) -> None:
    """Some tied models are saved with a head all the same; it must then be the embedding."""
    head, embedding = (
        files.read("lm_head.weight").data,
        files.read("model.embed_tokens.weight").data,
    )
    if not torch.equal(head, embedding):
        raise CheckpointError(
            f"{path}: config.json says tie_word_embeddings, but lm_head.weight is not the embedding"
        )
    del files.infos["lm_head.weight"]


def _check_plausible(path: Path, geometry: Geometry, files: TensorFiles) -> None:
    """A damaged configuration may promise billions of layers, which cannot even be listed."""
    numbers = sum(math.prod(info.shape) for info in files.infos.values())
    promised = geometry.num_layers * (6 + 3 * max(geometry.num_experts, 1))
    if promised > numbers:
        raise CheckpointError(
            f"{path}: the configuration says {geometry.num_layers} layers of "
            f"{geometry.num_experts} experts, but the files hold {numbers} numbers in all"
        )


def _checked(
    path: Path,
    family: Family,
    geometry: Geometry,
    files: TensorFiles,
    *,
    vocabulary: Vocabulary | None = None,
    config: Mapping[str, Any],
) -> Checkpoint:
    """Find the layout whose table the files match, and account for every tensor."""
    for name in [name for name in files.infos if _DERIVED.fullmatch(name)]:
        del files.infos[name]
    _check_plausible(path, geometry, files)
    candidates = [x for x in LAYOUTS if x.family == family and x.fits(geometry)]
    tables = {layout: layout.table(geometry) for layout in candidates}
    layout = max(candidates, key=lambda x: sum(p.tensor in files.infos for p in tables[x].values()))
    table = tables[layout]
    for slot, placement in table.items():
        info = files.infos.get(placement.tensor)
        if info is None:
            raise CheckpointError(f"{path}: tensor {placement.tensor} is missing")
        if info.shape != placement.shape:
            raise CheckpointError(
                f"{info.file}: tensor {placement.tensor} has the shape {list(info.shape)}, "
                f"but the configuration says {list(placement.shape)}"
            )
        if slot.kind in EXACT_KINDS and not info.type.is_dense:
            raise CheckpointError(
                f"{info.file}: tensor {placement.tensor} is quantised to {info.type.name}; "
                "the router and the norms must not be"
            )
    unexpected = sorted(set(files.infos) - {placement.tensor for placement in table.values()})
    if unexpected:
        info = files.infos[unexpected[0]]
        raise CheckpointError(f"{info.file}: unexpected tensor {unexpected[0]}")
    return Checkpoint(
        path=path,
        layout=layout,
        geometry=geometry,
        files=files,
        table=table,
        vocabulary=vocabulary,
        config=config,
    )
