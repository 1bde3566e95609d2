"""Prepared weights: a model's matrices packed for the native kernels, in one file that is mapped.

The file is a cache, not a format: it can be rebuilt from the source at any time, and is named after
the source's content. It holds a record for the embedding, for each layer's attention, for each
expert (gate, up and down together), and for the head. The header is checked when the file is
opened, each record's checksum when the record is first used; a bad record is rebuilt from the
source alone.
"""

import ctypes
import hashlib
import json
import mmap
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch

from ostro.config import WEIGHT_TYPES, Geometry, WeightType, format_bytes
from ostro.errors import OstroError
from ostro.kernels.native import TYPE_NUMBERS, NativeContext
from ostro.kernels.structures import Matrix
from ostro.runtime.files import file_lock, whole_file
from ostro.runtime.mapped_files import ask_for_large_pages
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import Checkpoint, check_finite
from ostro.weights.quantise import to_type
from ostro.weights.slots import Kind, Slot, slot_shape

# Raised with every change of the packed form or of this file's own.
_VERSION = 2
_MAGIC = b"ostro prepared\n\0"
# Records begin at whole pages, as direct reads want them.
_ALIGNMENT = 4096
_SAMPLE = 4096


class RecordKey(NamedTuple):
    """A record: ``kind`` is embedding, attention, expert or head."""

    kind: str
    layer: int = -1
    expert: int = -1


@dataclass(frozen=True)
class Record:
    """Where a record lies in the file, and which matrices follow one another in it."""

    number: int
    key: RecordKey
    slots: tuple[Slot, ...]
    types: tuple[str, ...]
    offset: int
    bytes: int


def native_type(stored: WeightType) -> WeightType:
    """What a stored type is computed as: itself, or BF16 where there is no kernel for it."""
    return stored if stored.name in TYPE_NUMBERS else WEIGHT_TYPES["BF16"]


def native_obstacle(geometry: Geometry) -> str | None:
    """Why the native kernels cannot run this geometry; None if they can."""
    g = geometry
    for name, value, unit in (
        ("dim", g.dim, 16),
        ("ffn_dim", g.ffn_dim, 16),
        ("head_dim", g.head_dim, 16),
    ):
        if value % unit:
            return f"{name} {value} is not a multiple of {unit}"
    if g.head_dim > 256:
        return f"head_dim {g.head_dim} is above 256"
    if g.dim > 32768:
        return f"dim {g.dim} is above 32768"
    if g.num_experts > 64:
        return f"num_experts {g.num_experts} is above 64"
    return None


def record_keys(geometry: Geometry) -> Iterator[tuple[RecordKey, tuple[Slot, ...]]]:
    """All records of a model, in the order of the forward pass."""
    attention: tuple[Kind, ...] = ("query", "key", "value", "output")
    expert: tuple[Kind, ...] = ("gate", "up", "down")
    yield RecordKey("embedding"), (Slot("embedding"),)
    for layer in range(geometry.num_layers):
        yield RecordKey("attention", layer), tuple(Slot(kind, layer) for kind in attention)
        for number in range(max(geometry.num_experts, 1)):
            index = number if geometry.is_sparse else -1
            slots = tuple(Slot(kind, layer, index) for kind in expert)
            yield RecordKey("expert", layer, number), slots
    if not geometry.tied_embeddings:
        yield RecordKey("head"), (Slot("head"),)


class PreparedWeights:
    """The open file. Descriptors point into the mapping, or into a record that was rebuilt."""

    def __init__(
        self, path: Path, checkpoint: Checkpoint, context: NativeContext, records: list[Record]
    ) -> None:
        self.path, self._checkpoint, self._context = path, checkpoint, context
        self.records = records
        self._by_key = {record.key: record for record in records}
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        ask_for_large_pages(self._map)
        self._base = int(np.frombuffer(self._map, dtype=np.uint8).ctypes.data)
        self._sums = _read_sums(self._map, len(records))
        self._rebuilt: dict[RecordKey, torch.Tensor] = {}

    def record(self, key: RecordKey) -> Record:
        """Where a record lies."""
        return self._by_key[key]

    def matrices(self, key: RecordKey) -> list[Matrix]:
        """Descriptors of a record's matrices, in the mapping or where the record was rebuilt."""
        return self.matrices_at(key, self._verified(self._by_key[key]))

    def matrices_at(self, key: RecordKey, address: int | None) -> list[Matrix]:
        """Descriptors of a record that was read to ``address``; None: it is not in memory."""
        record = self._by_key[key]
        found = []
        for slot, kind in zip(record.slots, record.types, strict=True):
            rows, columns = slot_shape(self._checkpoint.geometry, slot.kind)
            found.append(Matrix(address, TYPE_NUMBERS[kind], rows, columns))
            if address is not None:
                address += self._context.packed_bytes(kind, rows, columns)
        return found

    def mend_at(self, key: RecordKey, address: int) -> None:
        """Check a record that was read to ``address``; a bad one is rebuilt there and on disk."""
        record = self._by_key[key]
        if self._is_right(record, address):
            return
        data = pack_record(self._checkpoint, self._context, record)
        ctypes.memmove(address, data.data_ptr(), record.bytes)
        self._mend(record, data)

    def _is_right(self, record: Record, address: int) -> bool:
        return self._context.checksum(address, record.bytes) == self._sums[record.number]

    def _verified(self, record: Record) -> int:
        """The address of a record whose bytes are right."""
        if record.key in self._rebuilt:
            return self._rebuilt[record.key].data_ptr()
        address = self._base + record.offset
        if self._is_right(record, address):
            return address
        data = pack_record(self._checkpoint, self._context, record)
        self._rebuilt[record.key] = data
        self._mend(record, data)
        return data.data_ptr()

    def _mend(self, record: Record, data: torch.Tensor) -> None:
        """Write a rebuilt record back. If that fails, it will be rebuilt again next time."""
        with suppress(OSError), self.path.open("r+b") as file:
            _write_record(file, record, data, self._context)


def prepare(
    checkpoint: Checkpoint, context: NativeContext, folder: Path, progress: Progress
) -> PreparedWeights:
    """Open the prepared file of a checkpoint in ``folder``; write it first if there is none."""
    records = plan_records(checkpoint, context)
    path = prepared_path(checkpoint, folder)
    if not _is_whole(path, records):
        with file_lock(path.with_suffix(".lock"), waiting_for=f"preparing {checkpoint.path.name}"):
            if not _is_whole(path, records):
                _write(path, checkpoint, context, records, progress)
    return PreparedWeights(path, checkpoint, context, records)


def remove_prepared(checkpoint: Checkpoint, folder: Path) -> int:
    """Delete a checkpoint's prepared file, if there is one; the bytes that this freed."""
    return _remove([prepared_path(checkpoint, folder)])


def all_prepared(folder: Path) -> list[Path]:
    """Every prepared file in ``folder``, also of checkpoints that are gone."""
    return sorted(folder.glob("*.prepared"))


def remove_all_prepared(folder: Path) -> int:
    """Delete all prepared files; the bytes that this freed. A model that is loaded goes on."""
    return _remove(all_prepared(folder))


def _remove(paths: list[Path]) -> int:
    freed = 0
    for path in paths:
        if path.exists():
            freed += path.stat().st_size
            path.unlink()
            path.with_suffix(".lock").unlink(missing_ok=True)
    return freed


def prepared_path(checkpoint: Checkpoint, folder: Path) -> Path:
    """Where the prepared file of a checkpoint lies, or would lie, in ``folder``."""
    return folder / f"{content_key(checkpoint)}.prepared"


def plan_records(checkpoint: Checkpoint, context: NativeContext) -> list[Record]:
    """Where each record of a checkpoint will lie."""
    keys = list(record_keys(checkpoint.geometry))
    offset = _rounded(_sum_offset(len(keys)))
    records = []
    for number, (key, slots) in enumerate(keys):
        types, size = [], 0
        for slot in slots:
            kind = native_type(checkpoint.files.infos[checkpoint.table[slot].tensor].type).name
            types.append(kind)
            size += context.packed_bytes(kind, *slot_shape(checkpoint.geometry, slot.kind))
        records.append(Record(number, key, slots, tuple(types), offset, size))
        offset += _rounded(size)
    return records


def pack_record(checkpoint: Checkpoint, context: NativeContext, record: Record) -> torch.Tensor:
    """Build one record from the source: uint8 ``[record.bytes]``."""
    data = torch.empty(record.bytes, dtype=torch.uint8)
    address = data.data_ptr()
    for slot, kind in zip(record.slots, record.types, strict=True):
        stored = to_type(checkpoint.read(slot), WEIGHT_TYPES[kind])
        if stored.type.is_dense:
            check_finite(stored.data, checkpoint.file_of(slot))
        rows, columns = stored.shape
        context.pack(kind, stored.data.contiguous(), rows, columns, address)
        address += context.packed_bytes(kind, rows, columns)
    return data


def content_key(checkpoint: Checkpoint) -> str:
    """A name for what a checkpoint holds: its tensors' names, types and shapes, and samples.

    Of each tensor the first, middle and last bytes are read, so that a file of many gigabytes is
    recognised at once. The name does not depend on where the files lie.
    """
    # A geometry that stretches nothing reads as it did before one could: what is prepared stays.
    geometry = str(checkpoint.geometry).replace(", rope_scaling=None", "")
    digest = hashlib.sha256(geometry.encode())
    for name, info in sorted(checkpoint.files.infos.items()):
        digest.update(f"{name} {info.type.name} {info.shape}".encode())
        data = checkpoint.files.read(name).data
        flat = data.reshape(-1).view(torch.uint8)
        for start in (0, flat.numel() // 2, max(flat.numel() - _SAMPLE, 0)):
            digest.update(flat[start : start + _SAMPLE].numpy().data)
    return digest.hexdigest()[:32]


def _rounded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _sum_offset(number: int) -> int:
    """Where the checksum of record ``number`` stands: after a header of one page."""
    return _ALIGNMENT + 8 * number


def _read_sums(data: mmap.mmap, count: int) -> list[int]:
    sums = np.frombuffer(data, dtype="<u8", count=count, offset=_sum_offset(0))
    return [int(value) for value in sums]


def _header(records: list[Record]) -> bytes:
    """What a file of these records begins with."""
    layout = hashlib.sha256(repr(records).encode()).hexdigest()
    text = json.dumps({"version": _VERSION, "records": len(records), "layout": layout})
    return (_MAGIC + text.encode()).ljust(_ALIGNMENT, b"\0")


def _is_whole(path: Path, records: list[Record]) -> bool:
    try:
        with path.open("rb") as file:
            same = file.read(_ALIGNMENT) == _header(records)
            return same and os.fstat(file.fileno()).st_size == _end(records)
    except OSError:
        return False


def _end(records: list[Record]) -> int:
    return records[-1].offset + _rounded(records[-1].bytes)


def _write(
    path: Path,
    checkpoint: Checkpoint,
    context: NativeContext,
    records: list[Record],
    progress: Progress,
) -> None:
    total = sum(record.bytes for record in records)
    path.unlink(missing_ok=True)  # One of another version is of no use, and takes as much room.
    _check_room(path, _end(records))
    with (
        whole_file(path) as temporary,
        temporary.open("wb") as file,
        progress.task(f"preparing {checkpoint.path.name}", total, "bytes") as advance,
    ):
        file.truncate(_end(records))
        file.write(_header(records))
        for record in records:
            _write_record(file, record, pack_record(checkpoint, context, record), context)
            checkpoint.release_pages()
            advance(record.bytes)


def _write_record(
    file: BinaryIO, record: Record, data: torch.Tensor, context: NativeContext
) -> None:
    file.seek(record.offset)
    file.write(data.numpy().data)
    file.seek(_sum_offset(record.number))
    file.write(context.checksum(data.data_ptr(), record.bytes).to_bytes(8, "little"))


def _check_room(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    free = _free_bytes(path.parent)
    if free < size:
        raise OstroError(
            f"preparing the weights takes {format_bytes(size)} in {path.parent} and "
            f"{format_bytes(free)} are free; make room, or set OSTRO_HOME to another disk"
        )


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
