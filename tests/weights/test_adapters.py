"""PEFT's layout: what is read, what is refused by name, what is written, and merging.

peft is no dependency, not even of tests. The logits recorded below are those of peft 0.21.2 with
transformers 5.23.0 for the very files that :mod:`peft_files` writes here.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ostro.errors import CheckpointError, OstroError
from ostro.kernels.lora import LowRank
from ostro.model import Mixtral, row_options
from ostro.model.lora import Adapter
from ostro.runtime.progress import SilentProgress
from ostro.weights.adapters import additions_of, read_adapter, write_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.dequantised import Dequantised
from ostro.weights.layouts import HF
from ostro.weights.merge_adapter import Merged
from ostro.weights.slots import Slot, slot_shape
from ostro.weights.tokenizer_files import TokenizerFiles
from peft_files import pair, random_pairs, save_adapter, stacked_pairs
from steps import plain_model, read
from tiny import save_gguf, save_tiny

IDS = list(range(1, 22))
QUERY = "model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "m")


@pytest.fixture(scope="module")
def model(folder) -> Mixtral:
    return plain_model(folder)


def _logits(model: Mixtral, adapter) -> torch.Tensor:
    return read(model, [(IDS, row_options(model.geometry, adapter=adapter))])[0]


RECORDED = {
    "stacked": ([-0.949451, 2.568299, -1.072873, 1.356857, -0.082694, 0.576093], 73.310585),
    "one by one": ([-0.721247, 1.733312, -0.819013, 1.526634, -0.509482, 2.356144], 72.068993),
}


@pytest.mark.parametrize("form", RECORDED)
def test_logits_are_those_of_peft(model, tmp_path, form) -> None:
    pairs = stacked_pairs if form == "stacked" else random_pairs
    adapter = read_adapter(save_adapter(tmp_path / "a", pairs(model.geometry)), model.geometry)
    last, norm = RECORDED[form]
    found = _logits(model, adapter)
    torch.testing.assert_close(found[-1, :6], torch.tensor(last), rtol=1e-4, atol=1e-4)
    assert float(found.norm()) == pytest.approx(norm, rel=1e-5)


def test_stacked_experts_are_the_formula_that_peft_merges_with(model, tmp_path) -> None:
    """There: delta[e, o, i] = scale * sum over r of B[o, r, e] A[e, r, i]."""
    g, tensors = model.geometry, stacked_pairs(model.geometry)
    additions = additions_of(read_adapter(save_adapter(tmp_path / "a", tensors), g), g)
    for inner, kinds in (("", ("down",)), (".base_layer", ("gate", "up"))):
        prefix = f"base_model.model.model.layers.1.mlp.experts{inner}.lora_"
        a = tensors[f"{prefix}A.weight"].unflatten(0, (8, 4))
        b = tensors[f"{prefix}B.weight"].unflatten(1, (4, 8))
        delta = 2.0 * torch.einsum("ore,eri->eoi", b, a)
        for expert in range(8):
            found = torch.cat([additions[Slot(kind, 1, expert)].delta() for kind in kinds])
            torch.testing.assert_close(found, delta[expert])


def test_one_parameter_alone_is_not_wrapped(model, tmp_path) -> None:
    """Its names are then those without ``base_layer``, whichever of the two it is."""
    g, tensors = model.geometry, stacked_pairs(model.geometry)
    gate_up = {
        name.replace(".base_layer", ""): tensor
        for name, tensor in tensors.items()
        if ".base_layer" in name
    }
    found = additions_of(read_adapter(save_adapter(tmp_path / "a", gate_up), g), g)
    assert {slot.kind for slot in found} == {"gate", "up"}


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, 2.0),
        ({"lora_alpha": 3}, 0.75),
        ({"use_rslora": True}, 4.0),
        ({"alpha_pattern": {"q_proj": 16}}, 4.0),
        ({"alpha_pattern": {"layers.0.self_attn.q_proj": 20, "q_proj": 16}}, 5.0),
        ({"alpha_pattern": {"layers.1.self_attn.q_proj": 20, "proj": 16}}, 2.0),
        ({"rank_pattern": {"q_proj": 4, "v_proj": 9}, "r": 2, "use_rslora": True}, 4.0),
    ],
)
def test_the_scale_is_what_the_settings_say(model, tmp_path, settings, scale) -> None:
    tensors = random_pairs(model.geometry, leaves=("q_proj",))
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors, **settings), model.geometry)
    assert adapter.layers[0].query.scale == pytest.approx(scale)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peft_type": "LOHA"}, r"peft_type is 'LOHA'; ostro reads LORA"),
        ({"use_dora": True}, r"use_dora = True is not supported"),
        ({"bias": "all"}, r"bias = 'all' is not supported"),
        ({"lora_bias": True}, r"lora_bias = True"),
        ({"fan_in_fan_out": True}, r"fan_in_fan_out = True"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save = \['lm_head'\] is not supported"),
        ({"init_lora_weights": "pissa"}, r"init_lora_weights = 'pissa' is not supported"),
        ({"layer_replication": [[0, 2]]}, r"layer_replication = \[\[0, 2\]\]"),
        ({"use_qalora": True}, r"use_qalora = True"),
        ({"alora_invocation_tokens": [1]}, r"alora_invocation_tokens = \[1\]"),
        ({"lora_magic": 1}, r"unknown setting 'lora_magic'"),
        ({"r": 0}, r"the rank r must be 1 or more, not 0"),
        ({"r": None}, r"r is missing"),
        ({"rank_pattern": {"q_proj": 0}}, r"the rank q_proj must be 1 or more"),
        ({"rank_pattern": {"(": 2}}, r"'\(' is no pattern"),
        ({"rank_pattern": {"q_proj": 2}}, r"has the shape \[4, 64\], but this .* say \[2, 64\]"),
        ({"target_modules": ["q_proj", "k_proj"]}, r"target_modules names k_proj, and no tensor"),
    ],
)
def test_settings_that_change_the_mathematics_are_refused_by_name(
    model, tmp_path, settings, message
) -> None:
    tensors = random_pairs(model.geometry, leaves=("q_proj",))
    saved = save_adapter(tmp_path / "a", tensors, **settings)
    with pytest.raises(CheckpointError, match=message):
        read_adapter(saved, model.geometry)


A, B = torch.zeros(4, 64), torch.zeros(64, 4)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (pair("model.layers.0.mlp.gate", A, torch.zeros(8, 4)), r"router .*must be exact"),
        (pair("model.layers.2.block_sparse_moe.gate", A, torch.zeros(8, 4)), r"adapts the router"),
        (pair("lm_head", A, torch.zeros(160, 4)), r"adapts lm_head, which is no matrix of"),
        (pair("model.layers.3.self_attn.q_proj", A, B), r"adapts model.layers.3.self_attn.q_proj"),
        (pair("model.layers.7.mlp.experts", A, B), r"adapts model.layers.7.mlp.experts"),
        (pair("model.layers.0.mlp.gate_proj", A, B), r"adapts model.layers.0.mlp.gate_proj"),
        (pair("model.layers.0.mlp.experts", A, B), r"fit neither gate_up_proj nor down_proj"),
        (pair(QUERY, A, torch.zeros(32, 4)), r"has the shape \[32, 4\], but .* say \[64, 4\]"),
        (pair(QUERY, A * torch.nan, B), r"lora_A.weight holds NaN"),
        ({f"base_model.model.{QUERY}.lora_A.weight": A}, r"has no lora_B; the adapter is incompl"),
        ({f"{QUERY}.lora_A.weight": A}, r"unexpected tensor model.layers.0"),
        ({f"base_model.model.{QUERY}.lora_magnitude_vector": A}, r"unexpected tensor"),
        ({}, r"the adapter has no tensors"),
    ],
)
def test_tensors_that_are_not_the_models_are_refused_by_name(
    model, tmp_path, tensors, message
) -> None:
    saved = save_adapter(tmp_path / "a", tensors)
    with pytest.raises(CheckpointError, match=message):
        read_adapter(saved, model.geometry)


def test_a_matrix_adapted_in_both_forms_is_refused(model, tmp_path) -> None:
    both = stacked_pairs(model.geometry) | random_pairs(model.geometry, leaves=("w1",))
    with pytest.raises(CheckpointError, match="is adapted twice"):
        read_adapter(save_adapter(tmp_path / "a", both), model.geometry)


def test_a_pickle_is_not_read(model, tmp_path) -> None:
    saved = save_adapter(tmp_path / "a", {})
    (saved / "adapter_model.safetensors").rename(saved / "adapter_model.bin")
    with pytest.raises(CheckpointError, match="ostro reads no pickles"):
        read_adapter(saved, model.geometry)


def test_stacks_of_an_older_peft_are_refused_where_shapes_do_not_tell(tmp_path) -> None:
    geometry = replace(open_checkpoint(save_tiny(tmp_path / "m")).geometry, ffn_dim=64)
    saved = save_adapter(tmp_path / "a", stacked_pairs(geometry), peft_version="0.18.1")
    with pytest.raises(CheckpointError, match=r"0\.19 and later .* does not say so"):
        read_adapter(saved, geometry)
    save_adapter(tmp_path / "a", stacked_pairs(geometry))
    assert read_adapter(saved, geometry).layers[0].experts[7].down is not None


@pytest.mark.parametrize("leaves", [(), ("q_proj", "w2"), ("o_proj",)])
def test_what_is_written_is_read_again(model, tmp_path, leaves) -> None:
    g, tensors = model.geometry, random_pairs(model.geometry, leaves=leaves)
    tensors.pop(f"base_model.model.{QUERY}.lora_A.weight", None)
    tensors.pop(f"base_model.model.{QUERY}.lora_B.weight", None)
    tensors |= pair("model.layers.1.self_attn.v_proj", torch.ones(3, 64), torch.ones(32, 3))
    settings = {"rank_pattern": {"layers.1.self_attn.v_proj": 3}, "use_rslora": True}
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors, **settings), g)
    write_adapter(adapter, g, tmp_path / "b")
    again = read_adapter(tmp_path / "b", g)
    assert again.name == "b"
    assert again.parameters == adapter.parameters
    before, after = additions_of(adapter, g), additions_of(again, g)
    assert before.keys() == after.keys()
    for slot, addition in before.items():
        assert torch.equal(addition.a_RI, after[slot].a_RI)
        assert torch.equal(addition.b_OR, after[slot].b_OR)
        assert addition.scale == pytest.approx(after[slot].scale)


def test_the_configuration_names_leaves_where_all_are_adapted(model, tmp_path) -> None:
    g, tensors = model.geometry, random_pairs(model.geometry, leaves=("w1", "w2", "w3"))
    tensors |= pair(QUERY, torch.ones(4, 64), torch.ones(64, 4))
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors), g)
    write_adapter(adapter, g, tmp_path / "b")
    config = json.loads((tmp_path / "b" / "adapter_config.json").read_text())
    assert config["target_modules"] == ["w1", "w2", "w3", QUERY]
    assert (config["r"], config["lora_alpha"], config["rank_pattern"]) == (4, 8, {})
    with pytest.raises(OstroError, match="exists already"):
        write_adapter(adapter, g, tmp_path / "b")


def test_dense_models_have_their_own_names(tmp_path) -> None:
    dense = plain_model(save_tiny(tmp_path / "m", "llama"))
    g, tensors = dense.geometry, random_pairs(dense.geometry)
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors), g)
    assert _logits(dense, adapter).sub(_logits(dense, None)).norm() > 1
    write_adapter(adapter, g, tmp_path / "b")
    assert torch.equal(_logits(dense, read_adapter(tmp_path / "b", g)), _logits(dense, adapter))


def test_a_merged_model_answers_as_the_adapter_does(folder, model, tmp_path) -> None:
    saved = save_adapter(tmp_path / "a", stacked_pairs(model.geometry))
    adapter = read_adapter(saved, model.geometry)
    merged = Merged(open_checkpoint(folder), adapter)
    write_model(
        merged,
        TokenizerFiles.beside(folder),
        tmp_path / "merged",
        layout=HF,
        kind=None,
        progress=SilentProgress(),
        name="merged",
    )
    found = _logits(plain_model(tmp_path / "merged"), None)
    torch.testing.assert_close(found, _logits(model, adapter), rtol=1e-3, atol=1e-4)
    assert (found - _logits(model, None)).norm() > 1


def test_merging_adds_the_delta_and_keeps_the_rest(folder, model, tmp_path) -> None:
    g, base = model.geometry, open_checkpoint(folder)
    tensors = random_pairs(g, leaves=("v_proj",))
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors), g)
    merged, slot = Merged(base, adapter), Slot("value", 1)
    addition = additions_of(adapter, g)[slot]
    assert addition.delta().shape == slot_shape(g, "value")
    assert torch.equal(merged.read(slot).data, base.read(slot).data + addition.delta())
    assert torch.equal(merged.read(Slot("key", 1)).data, base.read(Slot("key", 1)).data)


def test_quantised_weights_are_not_merged_into(folder, model, tmp_path) -> None:
    quantised = open_checkpoint(save_gguf(tmp_path / "m.gguf", folder, "Q8_0"))
    tensors = random_pairs(model.geometry, leaves=("v_proj",))
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors), model.geometry)
    with pytest.raises(OstroError, match=r"quantised to Q8_0, .* adapter 'a' .* say --type"):
        Merged(quantised, adapter).read(Slot("value", 0))


def test_a_dequantised_model_takes_an_adapter_in(folder, model, tmp_path) -> None:
    quantised = open_checkpoint(save_gguf(tmp_path / "m.gguf", folder, "Q8_0"))
    tensors = random_pairs(model.geometry, leaves=("v_proj",))
    adapter = read_adapter(save_adapter(tmp_path / "a", tensors), model.geometry)
    base, slot = Dequantised(quantised), Slot("value", 0)
    assert (quantised.matrix_type.name, base.matrix_type.name) == ("Q8_0", "F32")
    expected = base.read(slot).data + additions_of(adapter, model.geometry)[slot].delta()
    assert torch.equal(Merged(base, adapter).read(slot).data, expected)
    rough = base.read(slot).data
    torch.testing.assert_close(rough, open_checkpoint(folder).read(slot).data, rtol=0, atol=0.05)


def _with_routers(model, tmp_path) -> Adapter:
    g = model.geometry
    adapter = read_adapter(save_adapter(tmp_path / "a", random_pairs(g, leaves=("q_proj",))), g)
    generator = torch.Generator().manual_seed(5)
    shape = slot_shape(g, "router")
    routers = [torch.randn(shape, generator=generator) for _ in range(g.num_layers)]
    return replace(adapter, routers=tuple(routers))


def test_routers_are_written_whole_and_read_again(model, tmp_path) -> None:
    g, adapter = model.geometry, _with_routers(model, tmp_path)
    write_adapter(adapter, g, tmp_path / "b", torch.float16)
    again = read_adapter(tmp_path / "b", g)
    for before, after in zip(adapter.routers, again.routers, strict=True):
        assert torch.equal(before, after)  # In float32 whatever the rest is in.
    assert again.parameters == adapter.parameters
    halves = adapter.layers[0].query.a_RI.half()
    assert torch.equal(again.layers[0].query.a_RI, halves.float())
    config = json.loads((tmp_path / "b" / "adapter_config.json").read_text())
    assert config["modules_to_save"] == ["gate"]


def test_routers_are_merged_and_not_served_beside_others(folder, model, tmp_path) -> None:
    adapter = _with_routers(model, tmp_path)
    merged, base = Merged(open_checkpoint(folder), adapter), open_checkpoint(folder)
    for layer, router_ED in enumerate(adapter.routers):
        assert torch.equal(merged.read(Slot("router", layer)).data, router_ED)
        assert not torch.equal(base.read(Slot("router", layer)).data, router_ED)
    with pytest.raises(OstroError, match=r"'a' has routers of its own.*ostro convert MODEL OUT"):
        model.adapters.add(adapter)


def test_missing_routers_are_told(model, tmp_path) -> None:
    g, adapter = model.geometry, _with_routers(model, tmp_path)
    write_adapter(replace(adapter, routers=adapter.routers[:1]), g, tmp_path / "b")
    with pytest.raises(CheckpointError, match=r"the router of each of 3 layers, and there are 1"):
        read_adapter(tmp_path / "b", g)


def test_a_product_is_that_of_the_delta() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b, x = (torch.randn(s, generator=generator) for s in ((3, 8), (5, 3), (4, 8)))
    addition = LowRank(a, b, 0.5)
    torch.testing.assert_close(addition.product(x), x @ addition.delta().T)
    torch.testing.assert_close(addition.product(x), 0.5 * (x @ a.T @ b.T))
