"""What is known of a model before its weights are touched: for plans and for listings."""

import json
from dataclasses import dataclass

from ostro.config import PRESETS, WEIGHT_TYPES, Geometry, WeightType
from ostro.errors import CheckpointError
from ostro.runtime.environment import Environment
from ostro.weights.checkpoint import Checkpoint, most_common_type
from ostro.weights.gguf_file import GGUFHeader
from ostro.weights.gguf_metadata import geometry_from_metadata
from ostro.weights.hf_config import geometry_from_config
from ostro.weights.hub import PlanFiles, fetch_head, fetch_plan_files
from ostro.weights.mistral_params import geometry_from_params

# A vocabulary of 130,000 pieces with its merges takes about 6 MB of header.
_HEADER_BYTES = 16 << 20


@dataclass(frozen=True)
class Description:
    """A model on paper."""

    name: str
    geometry: Geometry
    stored_type: WeightType
    stored_bytes: int | None
    """Exact bytes on disk, where there are files or an index."""


def describe_preset(name: str) -> Description:
    """A published geometry, in the type it was published in."""
    return Description(name, PRESETS[name], WEIGHT_TYPES["BF16"], None)


def describe(checkpoint: Checkpoint, name: str) -> Description:
    """An opened checkpoint."""
    return Description(name, checkpoint.geometry, checkpoint.matrix_type, checkpoint.stored_bytes)


def describe_hub(environment: Environment, hub_id: str) -> Description:
    """A model on the hub, from its configuration and index, or a GGUF file's header, alone."""
    files = fetch_plan_files(environment, hub_id)
    if files.config is None:
        return _describe_remote_gguf(environment, hub_id, files)
    values = json.loads(files.config.read_text(encoding="utf-8"))
    source = f"{hub_id}: {files.config.name}"
    if files.config.name == "params.json":
        geometry = geometry_from_params(values, source, tied=False)
        kind = "BF16"
    else:
        geometry = geometry_from_config(values, source)
        names = {"float32": "F32", "float16": "F16"}
        kind = names.get(values.get("dtype") or values.get("torch_dtype"), "BF16")
    return Description(hub_id, geometry, WEIGHT_TYPES[kind], files.total_bytes)


def _describe_remote_gguf(environment: Environment, hub_id: str, files: PlanFiles) -> Description:
    first = next((file.name for file in files.weights if file.name.endswith(".gguf")), None)
    if first is None:
        raise CheckpointError(f"{hub_id}: neither config.json, params.json nor a GGUF file")
    header = GGUFHeader(fetch_head(environment, hub_id, first, _HEADER_BYTES), first)
    tied = len(files.weights) == 1 and "output.weight" not in header.infos
    geometry = geometry_from_metadata(header.metadata, first, tied=tied)
    # The first of several parts may hold metadata alone.
    kind = most_common_type(header.infos.values()) if header.infos else WEIGHT_TYPES["BF16"]
    return Description(hub_id, geometry, kind, files.total_bytes)
