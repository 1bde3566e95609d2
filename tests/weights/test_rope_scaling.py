"""Rope scaling in configurations: both of transformers' spellings, GGUF, and choices at load."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ostro.config import PRESETS, Geometry, RopeScaling
from ostro.errors import CheckpointError, OstroError
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import WRITABLE_LAYOUTS, write_model
from ostro.weights.gguf_metadata import geometry_from_metadata, metadata_from_geometry
from ostro.weights.hf_config import config_from_geometry, geometry_from_config
from ostro.weights.mistral_params import geometry_from_params, params_from_geometry
from ostro.weights.rope_choice import rope_choice, stretched
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny import save_tiny

DEMO = PRESETS["demo"]
LINEAR = RopeScaling(kind="linear", factor=4.0)
YARN = RopeScaling(kind="yarn", factor=4.0, original_context=8192)
SCALINGS = [
    LINEAR,
    RopeScaling(kind="linear", factor=2.7),
    YARN,
    replace(YARN, attention_factor=1.0),
    replace(YARN, attention_factor=1.1, factor=3.7),
    replace(YARN, attention_factor=0.123456, beta_fast=24.5, beta_slow=1.5),
]


def _scaled(scaling: RopeScaling | None) -> Geometry:
    length = 8192 if scaling is None else round(8192 * scaling.factor)
    return replace(DEMO, rope_scaling=scaling, context_length=length)


def _config(**changes) -> dict:
    return config_from_geometry(DEMO, "bfloat16", {}) | changes


def _read(**changes) -> Geometry:
    return geometry_from_config(_config(**changes), "config.json")


YARN_TABLE = {"factor": 4.0, "original_max_position_embeddings": 8192}


@pytest.mark.parametrize(
    "spelling",
    [
        {"rope_scaling": {"type": "yarn", **YARN_TABLE}},
        {"rope_scaling": {"rope_type": "yarn", "type": "yarn", **YARN_TABLE}},
        {"rope_scaling": {"type": "yarn", "finetuned": True, **YARN_TABLE}},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": DEMO.rope_theta, **YARN_TABLE}},
        {"rope_scaling": None, "rope_parameters": {"rope_type": "yarn", **YARN_TABLE}},
    ],
)
@pytest.mark.parametrize("limit", [8192, 32_768])
def test_both_spellings_and_both_meanings_of_the_limit(spelling, limit) -> None:
    assert _read(max_position_embeddings=limit, **spelling) == _scaled(YARN)


@pytest.mark.parametrize("key", ["type", "rope_type"])
def test_linear_reads_as_far_as_the_file_says(key) -> None:
    table = {key: "linear", "factor": 4}
    found = _read(rope_scaling=table, max_position_embeddings=32_768)
    assert found == _scaled(LINEAR)
    assert found.original_context == 8192
    assert _read(rope_scaling=table).context_length == 8192
    told = _read(rope_scaling=table | {"original_max_position_embeddings": 8192})
    assert told == _scaled(LINEAR)


def test_where_yarn_names_no_original_it_is_the_limit() -> None:
    assert _read(rope_scaling={"type": "yarn", "factor": 4.0}) == _scaled(YARN)


def test_settings_of_yarn() -> None:
    table = YARN_TABLE | {"beta_fast": 16, "beta_slow": 2, "truncate": False}
    wanted = replace(YARN, beta_fast=16.0, beta_slow=2.0, truncate=False)
    assert _read(rope_scaling={"rope_type": "yarn", **table}).rope_scaling == wanted
    zeros = {"beta_fast": 0, "beta_slow": None, "attention_factor": None}
    assert _read(rope_scaling={"rope_type": "yarn", **YARN_TABLE, **zeros}).rope_scaling == YARN


def test_the_theta_may_be_in_either_place() -> None:
    table = {"rope_type": "linear", "factor": 4.0}
    assert _read(rope_theta=5e4, rope_scaling=table).rope_theta == 5e4
    assert _read(rope_theta=5e4, rope_scaling=table | {"rope_theta": 7e4}).rope_theta == 7e4


@pytest.mark.parametrize(
    ("rope", "message"),
    [
        ({"type": "dynamic", "factor": 2.0}, "'dynamic' is refused: it depends on the current len"),
        ({"rope_type": "longrope", "factor": 2.0}, "'longrope' is refused: it depends on the"),
        ({"rope_type": "llama3", "factor": 8.0}, "'llama3' is refused: it is Llama 3.1's"),
        ({"rope_type": "spiral"}, "unknown rope scaling 'spiral'; ostro computes default, linear"),
        ({"rope_type": "ntk", "factor": 4.0}, "unknown rope scaling 'ntk'"),
        ({"rope_type": ["yarn"]}, r"rope_type must be a name, not \['yarn'\]"),
        ({"rope_type": "linear"}, "factor is missing"),
        ({"rope_type": "linear", "factor": "4"}, "factor must be a number, not '4'"),
        ({"rope_type": "linear", "factor": 0.5}, "factor must be 1 to"),
        ({"rope_type": "linear", "factor": 2.0, "beta_fast": 3}, "unknown setting 'beta_fast'"),
        ({"rope_type": "default", "factor": 2.0}, "unknown setting 'factor'"),
        ({"rope_type": "yarn", **YARN_TABLE, "warp": 9}, "unknown setting 'warp'"),
        ({"rope_type": "yarn", **YARN_TABLE, "mscale": 0.7}, "mscale and mscale_all_dim mean"),
        ({"rope_type": "yarn", **YARN_TABLE, "truncate": "no"}, "truncate must be true or false"),
        ({"rope_type": "yarn", **YARN_TABLE, "partial_rotary_factor": 0.5}, "partial_rotary"),
        ({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 0}, "original"),
    ],
)
def test_what_cannot_be_is_refused_by_name(rope, message) -> None:
    for key in ("rope_scaling", "rope_parameters"):
        with pytest.raises(OstroError, match=message):
            _read(**{key: rope})


def test_two_tables_must_say_the_same() -> None:
    table = {"rope_type": "yarn", **YARN_TABLE}
    assert _read(rope_scaling=table, rope_parameters=dict(table)) == _scaled(YARN)
    with pytest.raises(CheckpointError, match="say different things"):
        _read(rope_scaling=table, rope_parameters=table | {"factor": 2.0})


@pytest.mark.parametrize("scaling", [None, *SCALINGS, replace(YARN, truncate=False)])
def test_a_config_is_read_as_it_was_written(scaling) -> None:
    config = json.loads(json.dumps(config_from_geometry(_scaled(scaling), "bfloat16", {})))
    assert geometry_from_config(config, "config.json") == _scaled(scaling)
    assert ("rope_scaling" in config) is (scaling is not None)


@pytest.mark.parametrize("scaling", [*SCALINGS, replace(YARN, truncate=False)])
def test_transformers_reads_the_config_the_same_way(scaling) -> None:
    import torch
    from transformers import MixtralConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    from ostro.kernels.rope import rope_frequencies

    geometry = _scaled(scaling)
    config = MixtralConfig(**config_from_geometry(geometry, "bfloat16", {}))
    found, magnitude = ROPE_INIT_FUNCTIONS[scaling.kind](config, torch.device("cpu"))
    expected = rope_frequencies(geometry.head_dim, geometry.rope_theta, scaling)
    assert torch.equal(found, expected)
    assert magnitude == pytest.approx(scaling.magnitude)


def _float32(metadata: dict) -> dict:
    import struct

    return {
        key: struct.unpack("<f", struct.pack("<f", value))[0] if type(value) is float else value
        for key, value in metadata.items()
    }


@pytest.mark.parametrize("scaling", [None, *SCALINGS])
def test_gguf_metadata_are_read_as_they_were_written(scaling) -> None:
    written = metadata_from_geometry(_scaled(scaling)) | {"general.architecture": "llama"}
    found = geometry_from_metadata(_float32(written), "m.gguf", tied=DEMO.tied_embeddings)
    assert found == _scaled(scaling)
    assert any("scaling" in key for key in written) is (scaling is not None)


def _metadata(**rope) -> dict:
    own = {f"llama.rope.{key.replace('__', '.')}": value for key, value in rope.items()}
    return metadata_from_geometry(DEMO) | {"general.architecture": "llama"} | own


@pytest.mark.parametrize(
    ("rope", "scaling"),
    [
        ({"scaling__type": "none"}, None),
        ({"scaling__type": "none", "scaling__factor": 1.0}, None),
        ({"scaling__factor": 0.0, "scaling__attn_factor": 1.0}, None),
        ({"scale_linear": 4.0}, LINEAR),
        ({"scaling__factor": 4.0}, LINEAR),
        ({"scaling__type": "linear", "scaling__factor": 4.0}, LINEAR),
        ({"scaling__type": "yarn", "scaling__factor": 4.0}, YARN),
        (
            {
                "scaling__type": "yarn",
                "scaling__factor": 4.0,
                "scaling__original_context_length": 4096,
                "scaling__finetuned": True,
                "scaling__yarn_ext_factor": 1.0,
            },
            replace(YARN, original_context=4096),
        ),
    ],
)
def test_gguf_as_llama_cpp_understands_it(rope, scaling) -> None:
    found = geometry_from_metadata(_metadata(**rope), "m.gguf", tied=True)
    assert found.rope_scaling == scaling


@pytest.mark.parametrize(
    ("rope", "message"),
    [
        ({"scaling__type": "longrope"}, "rope scaling 'longrope' is not supported"),
        ({"scaling__type": "none", "scaling__factor": 2.0}, r"none, but the factor is 2\.0"),
        ({"scaling__factor": 2.0, "scaling__attn_factor": 1.5}, "attn_factor = 1.5"),
        ({"scaling__type": "yarn", "scaling__yarn_attn_factor": 0.5}, "yarn_attn_factor = 0.5"),
        ({"scaling__type": "yarn", "scaling__yarn_ext_factor": 0.5}, "yarn_ext_factor = 0.5"),
        ({"scaling__type": "yarn", "scaling__yarn_log_multiplier": 0.1}, "unknown setting"),
    ],
)
def test_gguf_that_cannot_be_is_refused_by_name(rope, message) -> None:
    with pytest.raises(OstroError, match=message):
        geometry_from_metadata(_metadata(**rope), "m.gguf", tied=True)


def _write(source, path: Path, layout: str):
    write_model(
        source,
        TokenizerFiles.beside(source.path),
        path,
        layout=WRITABLE_LAYOUTS[layout],
        kind=None,
        progress=SilentProgress(),
        name="tiny",
    )
    return open_checkpoint(path)


def test_from_hugging_face_to_gguf_and_back(tmp_path) -> None:
    rope = {"rope_type": "yarn", "rope_theta": 1e4, "attention_factor": 1.1, "factor": 4.0}
    rope["original_max_position_embeddings"] = 64
    folder = save_tiny(
        tmp_path / "m", rope_parameters=rope, max_position_embeddings=256, head_dim=16
    )
    original = open_checkpoint(folder)
    assert original.geometry.rope_scaling == RopeScaling(
        kind="yarn", factor=4.0, original_context=64, attention_factor=1.1
    )
    there = _write(original, tmp_path / "there.gguf", "gguf")
    back = _write(there, tmp_path / "back", "hf")
    assert there.geometry == back.geometry == original.geometry


def test_what_a_layout_cannot_say_is_not_written(tmp_path) -> None:
    rope = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "truncate": False}
    rope["original_max_position_embeddings"] = 64
    folder = save_tiny(
        tmp_path / "m", rope_parameters=rope, max_position_embeddings=256, head_dim=16
    )
    original = open_checkpoint(folder)
    with pytest.raises(OstroError, match="GGUF has no place for yarn's truncate"):
        _write(original, tmp_path / "m.gguf", "gguf")
    with pytest.raises(OstroError, match=r"params\.json has no place for yarn rope scaling"):
        _write(original, tmp_path / "mistral", "mistral")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_yarn_in_params_json_is_refused_with_the_reason() -> None:
    params = params_from_geometry(replace(DEMO, tied_embeddings=False))
    params["yarn"] = {"factor": 4, "original_max_position_embeddings": 8192, "alpha": 1, "beta": 32}
    with pytest.raises(CheckpointError, match=r"yarn is not read from params\.json"):
        geometry_from_params(params, "params.json", tied=False)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("linear:4", _scaled(LINEAR)),
        ("yarn:4", _scaled(YARN)),
        (" yarn:4.0 ", _scaled(YARN)),
        ('{"type": "yarn", "factor": 4}', _scaled(YARN)),
        ({"rope_type": "yarn", "factor": 4}, _scaled(YARN)),
        ({"rope_type": "yarn", **YARN_TABLE, "attention_factor": 1.0}, _scaled(SCALINGS[3])),
        (
            {"rope_type": "linear", "factor": 4, "original_max_position_embeddings": 2048},
            replace(_scaled(LINEAR), context_length=8192),
        ),
        (
            {"rope_type": "linear", "factor": 4, "rope_theta": 5e4},
            replace(_scaled(LINEAR), rope_theta=5e4),
        ),
        ("default", DEMO),
        ("ntk:1", DEMO),
        (
            "ntk:4",
            replace(DEMO, context_length=32_768, rope_theta=DEMO.rope_theta * 4 ** (64 / 62)),
        ),
    ],
)
def test_a_choice_replaces_what_the_file_says(asked, wanted) -> None:
    for own in (None, LINEAR, YARN):
        assert stretched(_scaled(own), rope_choice(asked)) == wanted
    assert stretched(_scaled(YARN), None) == _scaled(YARN)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("dynamic:4", "'dynamic' is refused: it depends on the current length.* keys which are in"),
        ({"type": "dynamic", "factor": 2}, "'dynamic' is refused"),
        ("yarn", "yarn needs a factor; write it as yarn:4"),
        ("yarn:four", "'four' is no factor"),
        ("", "names no kind; write it as yarn:4"),
        (":4", "names no kind"),
        ({}, "names no kind"),
        ("spiral:4", "unknown rope scaling 'spiral'; ostro computes default, linear, yarn, ntk"),
        ('{"rope_type"', "is not JSON"),
        ("yarn:0.5", "factor must be 1 to"),
        ("ntk:nan", "factor must be 1 to"),
        ("default:4", "unknown setting 'factor'"),
        ({"rope_type": "ntk", "factor": 4, "beta_fast": 3}, "unknown setting 'beta_fast'"),
        ({"rope_type": "yarn", "factor": 4, "original": 3}, "unknown setting 'original'"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(asked, message) -> None:
    with pytest.raises(OstroError, match=message):
        stretched(DEMO, rope_choice(asked))
