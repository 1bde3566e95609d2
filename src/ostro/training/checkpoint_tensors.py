"""Tensors of one or many ranks to and from a folder of safetensors files.

PyTorch's distributed checkpoint plans who writes and who reads what: each rank writes its own part
of a sharded tensor, one rank writes what all have, and a run on another number of ranks reads the
pieces that it needs. In the form of Hugging Face the files themselves say where their pieces lie
in the whole tensors, so that nothing else is stored, and nothing is pickled.
"""

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner, DefaultSavePlanner
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.checkpoint.storage import WriteResult
from torch.futures import Future

from ostro.errors import CheckpointError
from ostro.runtime.files import sync
from ostro.training.checkpoint_ranks import is_distributed
from ostro.training.checkpoint_record import describe

# What a rank copies from its accelerator at once; a single larger tensor gets its own file.
_FILE_BYTES = 4 << 30


def write_tensors(folder: Path, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Write tensors into an existing folder, all ranks together; descriptions of all by name.

    The files are on the disk when it returns. An error on one rank is raised on all.
    """
    with _plain_errors():
        written = save(
            dict(tensors),
            storage_writer=_ShardWriter(str(folder), save_distributed=True),
            planner=DefaultSavePlanner(flatten_state_dict=False),
            no_dist=not is_distributed(),
        )
    return {
        name: describe(tensor.properties.dtype, tensor.size)
        for name, tensor in written.state_dict_metadata.items()
        if isinstance(tensor, TensorStorageMetadata)
    }


def read_tensors(folder: Path, into: Mapping[str, Tensor]) -> None:
    """Fill tensors in place with what a folder holds under their names; each rank by itself."""
    assert not any(tensor.is_meta for tensor in into.values()), "needs memory to be filled"
    try:
        with _plain_errors():
            load(
                dict(into),
                storage_reader=HuggingFaceStorageReader(str(folder)),
                planner=DefaultLoadPlanner(flatten_state_dict=False),
                no_dist=True,
            )
    except (AssertionError, OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{folder}: its tensors cannot be read ({error})") from error


class _ShardWriter(HuggingFaceStorageWriter):
    """Writes a rank's files straight from the tensors' memory.

    The inherited way builds the whole file in memory first, which takes twice the tensors' size.
    """

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        rank = plan.storage_data["shard_index"] - 1
        results = []
        for number, items in enumerate(_file_by_file(plan.items)):
            name = f"rank-{rank:05}-{number:05}.safetensors"
            _write_file(Path(self.path) / name, items, planner)
            results += [WriteResult(item.index, _bytes_of(item), name) for item in items]
        done: Future[list[WriteResult]] = Future()
        done.set_result(results)
        return done


def _write_file(path: Path, items: list[WriteItem], planner: SavePlanner) -> None:
    pieces: dict[str, Tensor] = {}
    offsets = {}
    for item in items:
        name = item.index.fqn
        assert name not in pieces, f"a rank holds one piece of {name}"
        piece = planner.resolve_data(item)
        assert isinstance(piece, Tensor)
        pieces[name] = piece.detach().cpu().contiguous()
        offsets[name] = {"saved_offsets": list(_chunk_of(item).offsets)}
    where = {"DCP_SHARDING_INFO": json.dumps(offsets), "DCP_VERSION": "1.0", "format": "pt"}
    try:
        save_file(_untied(pieces), path, metadata=where)
    except SafetensorError as error:
        # The error travels between ranks, and this library's own can't be pickled for that.
        raise OSError(str(error)) from error
    sync(path)


def _untied(pieces: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, none of which shares memory with another, as safetensors wants them."""
    seen: set[int] = set()
    apart = {}
    for name, piece in pieces.items():
        memory = piece.untyped_storage().data_ptr()
        apart[name] = piece.clone() if memory in seen else piece
        seen.add(memory)
    return apart


def _file_by_file(items: list[WriteItem]) -> Iterator[list[WriteItem]]:
    """Cut a rank's pieces into files of limited size."""
    together: list[WriteItem] = []
    size = 0
    for item in items:
        if together and size + _bytes_of(item) > _FILE_BYTES:
            yield together
            together, size = [], 0
        together.append(item)
        size += _bytes_of(item)
    if together:
        yield together


def _bytes_of(item: WriteItem) -> int:
    assert item.tensor_data is not None
    return math.prod(_chunk_of(item).sizes) * item.tensor_data.properties.dtype.itemsize


def _chunk_of(item: WriteItem) -> ChunkStorageMetadata:
    assert item.tensor_data is not None, f"{item.index.fqn} is not a tensor"
    return item.tensor_data.chunk


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Raise what went wrong on the first rank that failed.

    PyTorch wraps it into an exception of pages that isn't even an ``Exception``. It also warns
    when there is a single process, which is nothing to worry about.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            yield
    except CheckpointException as error:
        failure, _ = next(iter(error.failures.values()))
        raise failure from error
