"""Safetensors written tensor by tensor, so that a model larger than memory can be converted.

The ``safetensors`` package writes a file from tensors that are all in memory; here only the
header must be known beforehand. Format: 8 bytes of header length, the header as JSON, the data.
"""

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ostro.weights.stored import StoredTensor, TensorInfo

# A shard ends before it would pass this, as transformers' do.
MAX_SHARD_BYTES = 5 * 10**9


@dataclass(frozen=True)
class Shard:
    """One file to be written, and the tensors that go into it."""

    name: str
    infos: Mapping[str, TensorInfo]


def plan_shards(
    infos: Mapping[str, TensorInfo], stem: str, limit: int = MAX_SHARD_BYTES
) -> list[Shard]:
    """Spread tensors over files of at most ``limit`` bytes (or one tensor)."""
    groups: list[dict[str, TensorInfo]] = [{}]
    size = 0
    for name, info in infos.items():
        if groups[-1] and size + info.bytes > limit:
            groups.append({})
            size = 0
        groups[-1][name] = info
        size += info.bytes
    if len(groups) == 1:
        return [Shard(f"{stem}.safetensors", groups[0])]
    count = len(groups)
    return [
        Shard(f"{stem}-{number:05d}-of-{count:05d}.safetensors", group)
        for number, group in enumerate(groups, start=1)
    ]


def write_shard(path: Path, shard: Shard, tensors: Iterable[StoredTensor]) -> None:
    """Write one file; ``tensors`` come in the shard's order."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    entries: dict[str, object] = dict(header)
    for name, info in shard.infos.items():
        entries[name] = {
            "dtype": info.type.name,
            "shape": list(info.shape),
            "data_offsets": [offset, offset + info.bytes],
        }
        offset += info.bytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for (name, info), stored in zip(shard.infos.items(), tensors, strict=True):
            assert stored.shape == info.shape, name
            file.write(raw_bytes(stored.data))


def write_index(path: Path, shards: list[Shard]) -> None:
    """The index that names the file of every tensor; only where there are several files."""
    weight_map = {name: shard.name for shard in shards for name in shard.infos}
    total = sum(info.bytes for shard in shards for info in shard.infos.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    path.write_text(json.dumps(index, indent=2) + "\n")


def raw_bytes(data: Tensor) -> memoryview:
    """A tensor's bytes in order, without a copy where it is contiguous."""
    array: Any = data.contiguous().flatten().view(torch.uint8).numpy()
    return memoryview(array)
