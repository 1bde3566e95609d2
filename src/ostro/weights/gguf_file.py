"""GGUF files: a strict reader of the header, and tensors mapped.

Every count and length is checked against the file before anything is allocated, so that a damaged
file is refused with one line. Why not the ``gguf`` package's reader: docs/decisions/0002.
Format: the GGUF specification in ggml's documentation, versions 2 and 3, little-endian.
"""

import mmap
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostro.config import WEIGHT_TYPES, WeightType
from ostro.errors import CheckpointError, OstroError
from ostro.weights.stored import DTYPE_OF_TYPE, StoredTensor, TensorInfo

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
# Value types by number: struct's code and size.
_SCALARS = {
    0: ("B", 1),
    1: ("b", 1),
    2: ("H", 2),
    3: ("h", 2),
    4: ("I", 4),
    5: ("i", 4),
    6: ("f", 4),
    7: ("?", 1),
    10: ("Q", 8),
    11: ("q", 8),
    12: ("d", 8),
}
# ggml's numbers of the weight types.
_TYPE_NUMBERS = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    29: "IQ1_M",
    30: "BF16",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
}
_MAX_DIMENSIONS = 4
_PART = re.compile(r"(.+)-\d{5}-of-(\d{5})\.gguf")


class GGUFHeader:
    """What stands before the data: metadata, and name, type, shape and offset of each tensor."""

    def __init__(self, data: bytes | mmap.mmap, file: str) -> None:
        self.file = file
        self.metadata: dict[str, Any] = {}
        self.infos: dict[str, TensorInfo] = {}
        self.offsets: dict[str, int] = {}
        cursor = _Cursor(data, file)
        try:
            self._read(cursor)
        except (struct.error, UnicodeDecodeError) as error:
            raise CheckpointError(
                f"{file}: damaged header at byte {cursor.at} ({error})"
            ) from error

    def _read(self, cursor: "_Cursor") -> None:
        if cursor.take(4) != _MAGIC:
            raise CheckpointError(f"{self.file}: not a GGUF file")
        version = cursor.scalar("I", 4)
        if version not in (2, 3):
            raise CheckpointError(f"{self.file}: GGUF version {version}; ostro reads 2 and 3")
        num_tensors, num_values = cursor.count(24), cursor.count(12)
        for _ in range(num_values):
            key = cursor.string()
            self.metadata[key] = cursor.value(cursor.scalar("I", 4))
        for _ in range(num_tensors):
            self._read_info(cursor)
        alignment = self.metadata.get("general.alignment", 32)
        if not (isinstance(alignment, int) and alignment > 0 and alignment % 8 == 0):
            raise CheckpointError(f"{self.file}: general.alignment is {alignment!r}")
        self.data_start = -(-cursor.at // alignment) * alignment

    def _read_info(self, cursor: "_Cursor") -> None:
        name = cursor.string()
        dimensions = cursor.scalar("I", 4)
        if not 1 <= dimensions <= _MAX_DIMENSIONS or name in self.infos:
            raise CheckpointError(f"{self.file}: damaged entry of tensor {name!r}")
        shape = tuple(cursor.scalar("Q", 8) for _ in range(dimensions))[::-1]
        number = cursor.scalar("I", 4)
        if number not in _TYPE_NUMBERS:
            raise CheckpointError(
                f"{self.file}: tensor {name} has the unknown weight type {number}"
            )
        info = TensorInfo(WEIGHT_TYPES[_TYPE_NUMBERS[number]], shape, self.file)
        try:
            size = info.bytes
        except OstroError as error:
            raise CheckpointError(f"{self.file}: tensor {name}: {error}") from error
        if not 0 < size < 1 << 50:
            raise CheckpointError(f"{self.file}: tensor {name} has the shape {list(shape)}")
        self.infos[name] = info
        self.offsets[name] = cursor.scalar("Q", 8)


class GGUFFile:
    """One GGUF file, opened."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                size = path.stat().st_size
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    self.header = GGUFHeader(data, str(path))
            self._bytes = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
        except (OSError, ValueError) as error:
            if isinstance(error, OstroError):
                raise
            raise CheckpointError(f"{path}: cannot be read ({error})") from error
        self.infos = self.header.infos
        for name, info in self.infos.items():
            if self.header.data_start + self.header.offsets[name] + info.bytes > size:
                raise CheckpointError(f"{path}: cut short: tensor {name} lies beyond its end")

    def read(self, name: str) -> StoredTensor:
        """The tensor's bytes, mapped."""
        info = self.infos[name]
        start = self.header.data_start + self.header.offsets[name]
        data = self._bytes[start : start + info.bytes]
        return StoredTensor(info.type, _shaped(data, info.type, info.shape))


class GGUFParts:
    """A GGUF file that was split: metadata in the first part, tensors in all."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._parts = [GGUFFile(path) for path in paths]
        self.header = self._parts[0].header
        self.infos: dict[str, TensorInfo] = {}
        self._owner: dict[str, GGUFFile] = {}
        for part in self._parts:
            for name, info in part.infos.items():
                if name in self.infos:
                    raise CheckpointError(f"{info.file}: tensor {name} is in another part too")
                self.infos[name], self._owner[name] = info, part

    def read(self, name: str) -> StoredTensor:
        """The tensor's bytes, mapped."""
        return self._owner[name].read(name)


def open_gguf(path: Path) -> GGUFFile | GGUFParts:
    """Open a file, or with any part of a split one all its parts, which lie side by side."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return GGUFFile(path)
    count = int(match[2])
    names = [f"{match[1]}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
    missing = next((name for name in names if not path.with_name(name).is_file()), None)
    if missing is not None:
        raise CheckpointError(f"{path}: one of {count} parts; {missing} is not beside it")
    return GGUFParts([path.with_name(name) for name in names])


def _shaped(data: Tensor, kind: WeightType, shape: tuple[int, ...]) -> Tensor:
    if not kind.is_dense:
        return data.view(*shape[:-1], kind.row_bytes(shape[-1]))
    dtype = DTYPE_OF_TYPE[kind.name]
    if data.storage_offset() % dtype.itemsize:
        data = data.clone()
    return data.view(dtype).view(shape)


class _Cursor:
    """A position in the header that never runs past the end of the file."""

    def __init__(self, data: bytes | mmap.mmap, file: str) -> None:
        self.data, self.file, self.size, self.at = data, file, len(data), 0

    def take(self, count: int) -> bytes:
        if count > self.size - self.at:
            raise CheckpointError(f"{self.file}: cut short: the header ends at byte {self.at}")
        self.at += count
        return self.data[self.at - count : self.at]

    def scalar(self, code: str, size: int) -> Any:
        return struct.unpack(f"<{code}", self.take(size))[0]

    def count(self, smallest: int) -> int:
        """A number of entries of at least ``smallest`` bytes each."""
        number = int(self.scalar("Q", 8))
        if number * smallest > self.size - self.at:
            raise CheckpointError(f"{self.file}: cut short: {number} entries at byte {self.at}")
        return number

    def string(self) -> str:
        return self.take(self.count(1)).decode("utf-8")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self.scalar(*_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY or depth > 2:
            raise CheckpointError(f"{self.file}: unknown value type {kind} at byte {self.at}")
        return self._array(depth)

    def _array(self, depth: int) -> list[Any]:
        kind = self.scalar("I", 4)
        if kind in _SCALARS:
            code, size = _SCALARS[kind]
            number = self.count(size)
            return list(struct.unpack(f"<{number}{code}", self.take(number * size)))
        if kind == _STRING:
            return self._strings(self.count(8))
        return [self.value(kind, depth + 1) for _ in range(self.count(12))]

    def _strings(self, number: int) -> list[str]:
        # A vocabulary has a hundred thousand strings, so this loop is the reader's whole time.
        unpack: Callable[[Any, int], tuple[int]] = struct.Struct("<Q").unpack_from
        data, at, size, strings = self.data, self.at, self.size, []
        for _ in range(number):
            if at + 8 > size:
                raise CheckpointError(f"{self.file}: cut short: the header ends at byte {at}")
            (length,) = unpack(data, at)
            at += 8
            if length > size - at:
                raise CheckpointError(f"{self.file}: cut short: the header ends at byte {at}")
            strings.append(data[at : at + length].decode("utf-8"))
            at += length
        self.at = at
        return strings
