"""Safetensors files: one, or shards with an index."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ostro.errors import CheckpointError
from ostro.weights.stored import TYPE_OF_DTYPE, StoredTensor, TensorInfo

# Names of safetensors' own types.
_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class SafetensorsFiles:
    """Tensors of several safetensors files, mapped into memory when they are read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.infos: dict[str, TensorInfo] = {}
        self._handles: dict[str, safe_open] = {}
        for path in paths:
            self._open(path)

    def read(self, name: str) -> StoredTensor:
        """The tensor's numbers, mapped: nothing is read before they are used."""
        info = self.infos[name]
        try:
            data = self._handles[name].get_tensor(name)
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{info.file}: tensor {name}: {error}") from error
        return StoredTensor(info.type, data)

    def _open(self, path: Path) -> None:
        try:
            handle = safe_open(path, framework="pt")
            names = list(handle.keys())
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(f"{path}: not a whole safetensors file ({error})") from error
        for name in names:
            view = handle.get_slice(name)
            kind = view.get_dtype()
            if kind not in _TYPES:
                raise CheckpointError(
                    f"{path}: tensor {name} has type {kind}; ostro reads F32, F16 and BF16 here"
                )
            if name in self.infos:
                raise CheckpointError(f"{path}: tensor {name} is also in {self.infos[name].file}")
            shape = tuple(view.get_shape())
            self.infos[name] = TensorInfo(TYPE_OF_DTYPE[_TYPES[kind]], shape, str(path))
            self._handles[name] = handle


def shard_paths(folder: Path, index_name: str) -> list[Path]:
    """The files that an index names. A path that leaves the folder is refused."""
    index = folder / index_name
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{index}: not a safetensors index ({error!r})") from error
    for name in names:
        inside = isinstance(name, str) and Path(name).name == name
        if not inside:
            raise CheckpointError(f"{index}: names {name!r}, which is not a file of this folder")
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{index}: names {name}, which is not there; pull the model again"
            )
    return [folder / name for name in names]


def index_names(folder: Path, index_name: str) -> set[str]:
    """The tensors that an index promises."""
    return set(json.loads((folder / index_name).read_text())["weight_map"])
