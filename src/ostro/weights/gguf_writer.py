"""GGUF files written tensor by tensor through the ``gguf`` package."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ostro.config import Geometry
from ostro.text.vocabulary import Vocabulary
from ostro.weights.checkpoint import most_common_type
from ostro.weights.gguf_metadata import (
    ARCHITECTURE,
    metadata_from_geometry,
    metadata_from_vocabulary,
)
from ostro.weights.safetensors_writer import raw_bytes
from ostro.weights.stored import StoredTensor, TensorInfo

# llama.cpp's numbers for "most tensors are of this type", where no mix gave its own.
_FILE_TYPES = {
    "F32": 0,
    "F16": 1,
    "Q4_0": 2,
    "Q4_1": 3,
    "Q8_0": 7,
    "Q5_0": 8,
    "Q5_1": 9,
    "Q2_K": 10,
    "Q3_K": 11,
    "Q4_K": 14,
    "Q5_K": 16,
    "Q6_K": 18,
    "IQ4_NL": 25,
    "BF16": 32,
}


class Tensors(Protocol):
    """Gives the tensors of a model one by one."""

    def of(self, names: list[str]) -> Iterator[StoredTensor]:
        """The named tensors, in order."""
        ...


def write_gguf(
    path: Path,
    geometry: Geometry,
    infos: Mapping[str, TensorInfo],
    tensors: Tensors,
    vocabulary: Vocabulary | None,
    *,
    name: str,
    file_type: int | None = None,
) -> None:
    """Write one file. Only one tensor is in memory at a time.

    ``file_type`` is llama.cpp's number of a mix; without it the commonest type gives it.
    """
    from gguf import GGMLQuantizationType, GGUFWriter

    writer = GGUFWriter(path, ARCHITECTURE)
    try:
        writer.add_name(name)
        writer.add_file_type(_file_type(infos) if file_type is None else file_type)
        writer.add_quantization_version(2)
        for key, value in metadata_from_geometry(geometry).items():
            _add(writer, key, value)
        for key, value in (metadata_from_vocabulary(vocabulary) if vocabulary else {}).items():
            _add(writer, key, value)
        for tensor_name, info in infos.items():
            row = info.type.row_bytes(info.shape[-1])
            writer.add_tensor_info(
                tensor_name,
                (*info.shape[:-1], row),
                np.dtype(np.uint8),
                info.bytes,
                raw_dtype=GGMLQuantizationType[info.type.name],
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for stored in tensors.of(list(infos)):
            writer.write_tensor_data(np.frombuffer(raw_bytes(stored.data), dtype=np.uint8))
    finally:
        writer.close()


def _add(writer: Any, key: str, value: Any) -> None:
    """Types as llama.cpp expects them: uint32, float32, int32 arrays of kinds, float32 scores."""
    from gguf import GGUFValueType

    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case list():
            inner = GGUFValueType.STRING
            if isinstance(value[0], int):
                inner = GGUFValueType.INT32
            elif isinstance(value[0], float):
                inner = GGUFValueType.FLOAT32
            writer.add_key_value(key, value, GGUFValueType.ARRAY, sub_type=inner)


def _file_type(infos: Mapping[str, TensorInfo]) -> int:
    return _FILE_TYPES.get(most_common_type(infos.values()).name, 0)
