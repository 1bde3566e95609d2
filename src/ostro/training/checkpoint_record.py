"""``state.json``: what a checkpoint holds beside its tensors, and which of them it has."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ostro.errors import CheckpointError
from ostro.runtime.files import sync
from ostro.runtime.json_files import read_table

_NAME = "state.json"
# Raised when an older ostro could not read what a newer one writes, or the other way round.
_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """One checkpoint's ``state.json``.

    ``metric`` is what the best checkpoints are chosen by, ``tensors`` tells names with dtypes and
    whole shapes, ``files`` names with bytes. ``state`` is the run's own.
    """

    metric: float | None
    tensors: dict[str, str]
    files: dict[str, int]
    state: dict[str, Any]


def describe(dtype: object, shape: tuple[int, ...]) -> str:
    """A tensor as the record tells it: ``float32 [4, 8]``."""
    return f"{str(dtype).removeprefix('torch.')} {list(shape)}"


def write_record(folder: Path, record: Record) -> None:
    """Write a checkpoint's record and wait until it is on the disk."""
    text = json.dumps({"format": _FORMAT, **asdict(record)}, indent=1)
    path = folder / _NAME
    path.write_text(text + "\n", encoding="utf-8")
    sync(path)


def read_record(folder: Path) -> Record:
    """Read a checkpoint's record, or raise an error that names the file."""
    path = folder / _NAME
    table = read_table(path)
    if table.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path}: format {table.get('format')!r} is not known; this ostro reads {_FORMAT}"
        )
    try:
        record = Record(*(table[name] for name in ("metric", "tensors", "files", "state")))
    except KeyError as error:
        raise CheckpointError(f"{path}: {error} is missing") from error
    if not all(isinstance(part, dict) for part in (record.tensors, record.files, record.state)):
        raise CheckpointError(f"{path}: tensors, files and state must be tables")
    return record


def tensor_files(folder: Path) -> dict[str, int]:
    """The files of tensors in a folder, with their bytes."""
    return {path.name: path.stat().st_size for path in sorted(folder.glob("*.safetensors"))}


def check_files(folder: Path, expected: Mapping[str, int]) -> None:
    """Raise an error that names the first file that is missing, cut, damaged or too many."""
    found = tensor_files(folder)
    for name in sorted({*expected, *found}):
        path = folder / name
        if name not in found:
            raise CheckpointError(f"{path}: this file of the checkpoint is missing")
        if name not in expected:
            raise CheckpointError(f"{path}: this file is no part of the checkpoint; remove it")
        if found[name] != expected[name]:
            raise CheckpointError(f"{path}: has {found[name]} bytes instead of {expected[name]}")
        _check_header(path)


def _check_header(path: Path) -> None:
    try:
        with safe_open(path, framework="pt"):
            pass
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not readable as safetensors ({error})") from error
