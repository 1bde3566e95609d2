"""Bad input: one line that names file and tensor, and nothing half-written."""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ostro.config import WEIGHT_TYPES
from ostro.errors import CheckpointError, OstroError
from ostro.runtime.progress import SilentProgress
from ostro.weights import convert
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny import save_tiny
from weights.damage import fuzz, load


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def _change(model: Path, change) -> None:
    path = model / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    path.unlink()
    save_file(tensors, path)


def _set_config(model: Path, **values) -> None:
    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


ROUTER = "model.layers.1.block_sparse_moe.gate.weight"


def test_truncated_file(model: Path) -> None:
    path = model / "model.safetensors"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        open_checkpoint(model)


def test_missing_tensor(model: Path) -> None:
    _change(model, lambda tensors: tensors.pop(ROUTER))
    with pytest.raises(CheckpointError, match=f"tensor {ROUTER} is missing"):
        open_checkpoint(model)


def test_unexpected_tensor(model: Path) -> None:
    _change(model, lambda tensors: tensors.update({"model.layers.1.extra": torch.ones(3)}))
    with pytest.raises(CheckpointError, match=r"unexpected tensor model\.layers\.1\.extra"):
        open_checkpoint(model)


def test_wrong_shape(model: Path) -> None:
    _change(model, lambda tensors: tensors.update({ROUTER: torch.ones(4, 64)}))
    with pytest.raises(CheckpointError, match=rf"{ROUTER} has the shape \[4, 64\].*\[8, 64\]"):
        open_checkpoint(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_numbers(model: Path, value: float) -> None:
    def spoil(tensors):
        tensors["model.layers.2.block_sparse_moe.experts.5.w2.weight"][3, 4] = value

    _change(model, spoil)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: tensor model\.layers\.2.*NaN"):
        load(model)


def test_unsupported_tensor_type(model: Path) -> None:
    _change(model, lambda tensors: tensors.update({ROUTER: torch.ones(8, 64, dtype=torch.int32)}))
    with pytest.raises(CheckpointError, match="I32"):
        open_checkpoint(model)


def test_unknown_architecture(model: Path) -> None:
    _set_config(model, model_type="gpt_neox")
    with pytest.raises(CheckpointError, match="unknown architecture 'gpt_neox'"):
        open_checkpoint(model)


def test_unknown_setting(model: Path) -> None:
    _set_config(model, use_flux_capacitor=True)
    with pytest.raises(CheckpointError, match="use_flux_capacitor"):
        open_checkpoint(model)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e6}},
    ],
)
def test_rope_scaling_is_refused_by_name(model: Path, rope) -> None:
    _set_config(model, **rope)
    (values,) = rope.values()
    with pytest.raises(CheckpointError, match=values.get("type") or values["rope_type"]):
        open_checkpoint(model)


def test_quantised_hugging_face_checkpoints_are_refused(model: Path) -> None:
    _set_config(model, quantization_config={"quant_method": "gptq"})
    with pytest.raises(CheckpointError, match="quantization_config"):
        open_checkpoint(model)


def test_config_that_is_not_json(model: Path) -> None:
    (model / "config.json").write_text('{"model_type": ')
    with pytest.raises(CheckpointError, match=r"config\.json"):
        open_checkpoint(model)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "a/b.safetensors", 7])
def test_index_that_leaves_its_folder(model: Path, name) -> None:
    index = {"weight_map": {ROUTER: name}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="not a file of this folder"):
        open_checkpoint(model)


def test_index_that_names_an_absent_shard(model: Path) -> None:
    index = {"weight_map": {ROUTER: "model-00001-of-00001.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="not there"):
        open_checkpoint(model)


class _Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("plain", [True, False], ids=["plain pickle", "torch file"])
def test_a_pickle_that_wants_to_run_code_is_refused_unrun(model, tmp_path, plain) -> None:
    (model / "model.safetensors").unlink()
    marker, path = tmp_path / "ran", model / "pytorch_model.bin"
    if plain:
        path.write_bytes(pickle.dumps({"weight": _Evil(marker)}))
    else:
        torch.save({"weight": _Evil(marker)}, path)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        open_checkpoint(model)
    assert not marker.exists()


def test_gguf_with_an_absurd_count_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gguf"
    key = b"general.architecture"
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<IIQ", 9, 4, 1 << 40)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry)
    with pytest.raises(CheckpointError, match="cut short"):
        open_checkpoint(path)


@pytest.mark.parametrize("data", [b"", b"GGUF", b"GGUF" + bytes(20), b"<html>", bytes(64)])
def test_files_that_are_no_gguf(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.gguf"):
        open_checkpoint(path)


def test_a_conversion_that_fails_leaves_nothing(whole: Path, tmp_path: Path, monkeypatch) -> None:
    original = open_checkpoint(whole)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(convert, "write_shard", full)
    with pytest.raises(OstroError, match="No space left on device; nothing was left behind"):
        convert.write_model(
            original,
            TokenizerFiles(None),
            tmp_path / "out",
            layout=convert.WRITABLE_LAYOUTS["hf-fused"],
            kind=None,
            progress=SilentProgress(),
            name="tiny",
        )
    assert list(tmp_path.iterdir()) == []


def test_an_existing_target_is_never_overwritten(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OstroError, match="exists already"):
        convert.write_model(
            open_checkpoint(whole),
            TokenizerFiles(None),
            tmp_path / "out",
            layout=convert.WRITABLE_LAYOUTS["hf"],
            kind=None,
            progress=SilentProgress(),
            name="tiny",
        )


def test_quantised_types_only_go_into_gguf(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(OstroError, match="Q4_0 can only be written as GGUF"):
        convert.write_model(
            open_checkpoint(whole),
            TokenizerFiles(None),
            tmp_path / "out",
            layout=convert.WRITABLE_LAYOUTS["hf"],
            kind=WEIGHT_TYPES["Q4_0"],
            progress=SilentProgress(),
            name="tiny",
        )


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    tried, refused = fuzz(tmp_path, seconds=4, seed=0)
    assert tried > 20
    assert refused > tried / 4


@pytest.mark.slow
def test_damaged_files_for_longer(tmp_path: Path) -> None:
    tried, refused = fuzz(tmp_path, seconds=60, seed=1)
    assert refused > tried / 4
