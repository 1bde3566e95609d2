"""Torch's own files (``.pt``, ``.pth``), read for tensors only: no pickle is ever executed."""

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from torch import Tensor

from ostro.errors import CheckpointError
from ostro.weights.stored import TYPE_OF_DTYPE, StoredTensor, TensorInfo


class PickleFiles:
    """Tensors of several ``torch.save`` files, mapped."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.infos: dict[str, TensorInfo] = {}
        self._tensors: dict[str, Tensor] = {}
        for path in paths:
            for name, tensor in _load(path).items():
                self._add(path, name, tensor)

    def read(self, name: str) -> StoredTensor:
        """The tensor's numbers, mapped."""
        return StoredTensor(self.infos[name].type, self._tensors[name])

    def _add(self, path: Path, name: Any, tensor: Any) -> None:
        if not (isinstance(name, str) and isinstance(tensor, Tensor)):
            raise CheckpointError(
                f"{path}: {name!r} is not a tensor; expected a flat table of them"
            )
        if name in self.infos:
            raise CheckpointError(f"{path}: tensor {name} is also in {self.infos[name].file}")
        if tensor.dtype not in TYPE_OF_DTYPE:
            raise CheckpointError(f"{path}: tensor {name} has type {tensor.dtype}")
        self.infos[name] = TensorInfo(TYPE_OF_DTYPE[tensor.dtype], tuple(tensor.shape), str(path))
        self._tensors[name] = tensor


def _load(path: Path) -> dict[Any, Any]:
    try:
        table = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: refused, since it holds more than tensors and might run code"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: not a whole torch file ({reason})") from error
    if not isinstance(table, dict):
        raise CheckpointError(f"{path}: holds a {type(table).__name__}, not a table of tensors")
    return table
