"""``ostro convert`` and ``ostro upcycle``: models that answer as before, or nothing written."""

import json
from pathlib import Path

import pytest
import torch

import ostro
from ostro.config.rope_scaling import ntk_theta
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from peft_files import random_pairs, save_adapter
from tiny import save_gguf, save_tiny
from tiny_chat import ANSWER, save_babbler


@pytest.mark.parametrize(
    ("layout", "name"), [("hf", "new"), ("hf-fused", "new"), ("gguf", "new.gguf")]
)
def test_a_converted_model_chats_as_before(run, speller, tmp_path, layout, name) -> None:
    target = tmp_path / name
    ran = run("convert", speller, target, "--to", layout)
    assert ran.code == 0
    assert ran.out.startswith(f"{target}: ")
    assert ran.out.endswith(f"layout {layout}\n")
    assert run("chat", target, "--prompt", "Hello").out == ANSWER + "\n"


def test_json_says_what_was_written(run, speller, tmp_path) -> None:
    target = tmp_path / "new.gguf"
    ran = run("convert", speller, target, "--to", "gguf", "--type", "Q8_0", "--json")
    written = json.loads(ran.out)
    assert list(written) == ["path", "layout", "tensors", "bytes"]
    assert (written["path"], written["layout"]) == (str(target), "gguf")
    assert 0 < written["bytes"] <= target.stat().st_size


def test_mistrals_layout_is_read_back(run, tmp_path) -> None:
    source = save_tiny(tmp_path / "tiny")
    assert run("convert", source, tmp_path / "mistral", "--to", "mistral").code == 0
    assert (tmp_path / "mistral" / "params.json").exists()
    assert run("convert", tmp_path / "mistral", tmp_path / "back", "--to", "hf").code == 0
    logits = [
        ostro.load(path, progress=SilentProgress()).logits([1, 2, 3])
        for path in (source, tmp_path / "back")
    ]
    assert torch.equal(*logits)


@pytest.mark.parametrize("quantised", [False, True])
def test_an_adapter_is_merged_in(run, tmp_path, quantised) -> None:
    source = save_babbler(tmp_path / "tiny")
    adapter = save_adapter(tmp_path / "adapter", random_pairs(open_checkpoint(source).geometry))
    to = ["--to", "gguf", "--adapter", adapter]
    if quantised:
        source = save_gguf(tmp_path / "tiny.gguf", source, "Q8_0")
        refused = run("convert", source, tmp_path / "x.gguf", *to)
        assert (refused.code, (tmp_path / "x.gguf").exists()) == (2, False)
        assert "say --type" in refused.err
        to += ["--type", "F32"]
    llm = ostro.load(source, dtype="float32", progress=SilentProgress())
    llm.add_adapter(adapter, "beside")
    before = llm.generate("the cat", max_tokens=8).text
    expected = llm.generate("the cat", max_tokens=8, adapter="beside").text
    assert before != expected
    target = tmp_path / "new.gguf"
    assert run("convert", source, target, *to).code == 0
    merged = ostro.load(target, dtype="float32", progress=SilentProgress())
    assert merged.generate("the cat", max_tokens=8).text == expected


@pytest.mark.parametrize(("layout", "name"), [("hf", "o"), ("mistral", "o"), ("gguf", "o.gguf")])
def test_another_rotary_base_is_in_the_file_and_nothing_else_changes(
    run, tmp_path, layout, name
) -> None:
    source = save_tiny(tmp_path / "tiny")
    geometry = open_checkpoint(source).geometry
    theta = ntk_theta(geometry.rope_theta, 4, geometry.head_dim)
    target = tmp_path / name
    assert run("convert", source, target, "--to", layout, "--rope-theta", theta).code == 0
    # Which base that is, is what --rope-scaling says in words; only the limit differs.
    stretched = ostro.load(source, rope_scaling="ntk:4", progress=SilentProgress())
    plain, found = (ostro.load(path, progress=SilentProgress()) for path in (source, target))
    ids = list(range(1, 40))
    torch.testing.assert_close(found.logits(ids), stretched.logits(ids))
    assert not torch.allclose(plain.logits(ids), stretched.logits(ids))
    assert open_checkpoint(target).geometry.context_length == geometry.context_length


def test_a_senseless_rotary_base_is_refused(run, speller, tmp_path) -> None:
    ran = run("convert", speller, tmp_path / "out", "--to", "hf", "--rope-theta", "0")
    assert (ran.code, ran.out) == (2, "")
    assert "rope_theta" in ran.err
    assert not (tmp_path / "out").exists()


def test_two_adapters_at_once_are_what_they_are_one_after_another(run, tmp_path) -> None:
    source = save_tiny(tmp_path / "tiny")
    geometry = open_checkpoint(source).geometry
    first, second = (
        save_adapter(tmp_path / name, random_pairs(geometry, seed=seed))
        for seed, name in enumerate(("first", "second"))
    )
    both, one, other = (tmp_path / name for name in ("both", "one", "other"))
    options = ["--to", "hf", "--type", "F32"]
    for asked in (
        (source, both, *options, "--adapter", first, "--adapter", second),
        (source, one, *options, "--adapter", first),
        (one, other, *options, "--adapter", second),
    ):
        assert run("convert", *asked).code == 0
    found, expected, half = (
        ostro.load(path, dtype="float32", progress=SilentProgress()).logits([1, 2, 3])
        for path in (both, other, one)
    )
    assert torch.equal(found, expected)
    assert not torch.equal(found, half)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "onnx"], "unknown layout 'onnx'; ostro writes hf, hf-fused, mistral, gguf"),
        (["--to", "hf", "--type", "Q4_0"], "type Q4_0 can only be written as GGUF"),
        (["--to", "gguf", "--type", "Q9"], "unknown weight type 'Q9'"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_no_file(
    run, speller, tmp_path, options, message
) -> None:
    ran = run("convert", speller, tmp_path / "new", *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert list(tmp_path.glob("*new*")) == []


def test_nothing_is_written_over(run, speller, tmp_path) -> None:
    target = tmp_path / "taken.gguf"
    target.write_text("mine")
    ran = run("convert", speller, target, "--to", "gguf")
    assert (ran.code, ran.out) == (2, "")
    assert "exists already" in ran.err
    assert target.read_text() == "mine"


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    return save_babbler(tmp_path / "dense", "llama")


def test_an_upcycled_model_computes_what_its_parent_does(run, dense, tmp_path) -> None:
    target = tmp_path / "mixture"
    ran = run("upcycle", dense, target, "--experts", 4, "--top-k", 2, "--seed", 1)
    assert ran.code == 0
    assert ran.out.startswith(f"{target}: ")
    assert "active a token" in ran.err
    plan = json.loads(run("plan", target, "--json").out)
    assert plan["total_parameters"] > plan["active_parameters"]
    parent, mixture = (ostro.load(path, progress=SilentProgress()) for path in (dense, target))
    assert (mixture.model.geometry.num_experts, mixture.model.geometry.top_k) == (4, 2)
    ids = parent.encode("Hello there")
    assert mixture.encode("Hello there") == ids
    expected = parent.logits(ids)
    assert (mixture.logits(ids) - expected).abs().max() / expected.abs().max() < 1e-5


def test_upcycling_a_file_gives_a_file(run, dense, tmp_path) -> None:
    run("convert", dense, tmp_path / "dense.gguf", "--to", "gguf", "--type", "Q8_0")
    ran = run("upcycle", tmp_path / "dense.gguf", tmp_path / "mixture.gguf", "--json")
    written = json.loads(ran.out)
    assert (written["layout"], written["path"]) == ("gguf", str(tmp_path / "mixture.gguf"))
    plan = json.loads(run("plan", tmp_path / "mixture.gguf", "--json").out)
    assert plan["stored_type"] == "Q8_0"


def test_the_seed_decides_the_routers(run, dense, tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("upcycle", dense, tmp_path / name, "--seed", seed)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize(
    "options", [["--experts", "2", "--top-k", "3"], ["--experts", "0"], ["--top-k", "0"]]
)
def test_numbers_of_experts_that_make_no_sense_are_refused(run, dense, tmp_path, options) -> None:
    ran = run("upcycle", dense, tmp_path / "new", *options)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_mixture_cannot_be_upcycled_again(run, speller, tmp_path) -> None:
    ran = run("upcycle", speller, tmp_path / "new")
    assert (ran.code, ran.out) == (2, "")
    assert "dense" in ran.err


def test_a_dense_model_has_no_fused_layout(run, dense, tmp_path) -> None:
    ran = run("convert", dense, tmp_path / "new", "--to", "hf-fused")
    assert (ran.code, ran.out) == (2, "")
    assert "this model is dense" in ran.err


def test_a_gguf_is_written_under_a_name_that_ostro_reads(run, speller, tmp_path) -> None:
    ran = run("convert", speller, tmp_path / "new", "--to", "gguf")
    assert (ran.code, list(tmp_path.glob("new*"))) == (2, [])
    assert "must end in .gguf" in ran.err


def test_types_that_cannot_be_written_are_refused_whatever_the_rows(run, speller, tmp_path) -> None:
    ran = run("convert", speller, tmp_path / "new.gguf", "--to", "gguf", "--type", "IQ4_XS")
    assert ran.code == 2
    assert "cannot write IQ4_XS" in ran.err
