"""``ostro quantize``: the types of a mix, or one line and no file."""

import json
import math
from pathlib import Path

import pytest
import torch

import ostro
from ostro.errors import CheckpointError
from ostro.runtime.progress import SilentProgress
from ostro.weights import convert
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.quantisation_mix import MIXES
from tiny_chat import ANSWER, save_babbler

# In nats, from the model in full precision: about twice what was measured.
MOST_DIVERGENCE = {
    "q8_0": 1e-3,
    "q6_k": 8e-3,
    "q5_k_m": 8e-3,
    "q4_k_m": 0.025,
    "q4_0": 0.05,
    "q3_k_m": 0.08,
    "q2_k": 0.2,
}
assert set(MOST_DIVERGENCE) == set(MIXES)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture whose rows are 256 long, but for the way out of its experts: 96."""
    folder = tmp_path_factory.mktemp("models") / "wide"
    return save_babbler(folder, hidden_size=256, num_hidden_layers=2, initializer_range=0.05)


def stored_types(path: Path) -> dict[str, str]:
    return {name: info.type.name for name, info in open_checkpoint(path).files.infos.items()}


def test_the_mix_decides_types_and_the_router_stays_exact(run, wide, tmp_path) -> None:
    target = tmp_path / "new.gguf"
    ran = run("quantize", wide, target, "--type", "q4_k_m")
    assert ran.code == 0
    assert ran.out.startswith(f"{target}: ")
    assert "bits a weight" in ran.err
    types = stored_types(target)
    assert types["blk.0.ffn_gate_exps.weight"] == types["token_embd.weight"] == "Q4_K"
    assert types["blk.0.ffn_gate_inp.weight"] == types["blk.0.attn_norm.weight"] == "F32"
    assert (types["blk.0.attn_v.weight"], types["output.weight"]) == ("Q8_0", "Q6_K")
    # A sensitive layer's Q6_K in rows of 96, and an ordinary layer's Q4_K.
    assert types["blk.1.ffn_down_exps.weight"] == "Q8_0"
    assert types["blk.0.ffn_down_exps.weight"] == "Q5_0"
    assert open_checkpoint(target).config["general.file_type"] == 15


@pytest.mark.parametrize(("mix", "most"), MOST_DIVERGENCE.items())
def test_logits_stay_as_close_as_the_bits_allow(run, wide, tmp_path, mix, most) -> None:
    target = tmp_path / "new.gguf"
    assert run("quantize", wide, target, "--type", mix).code == 0
    exact, quantised = (
        ostro.load(path, dtype="float32", progress=SilentProgress()).logits(list(range(64)))
        for path in (wide, target)
    )
    p, q = torch.log_softmax(exact, -1), torch.log_softmax(quantised, -1)
    divergence = float((p.exp() * (p - q)).sum(-1).mean())
    assert 0 < divergence < most


@pytest.mark.parametrize("mix", ["q8_0", "q4_0"])
def test_a_quantised_model_chats(run, speller, tmp_path, mix) -> None:
    target = tmp_path / "new.gguf"
    ran = run("quantize", speller, target, "--type", mix, "--json")
    written = json.loads(ran.out)
    assert (written["path"], written["layout"]) == (str(target), "gguf")
    assert math.isclose(written["bytes"], target.stat().st_size, rel_tol=0.2)
    assert run("chat", target, "--prompt", "Hello").out == ANSWER + "\n"


def test_what_is_quantised_already_is_refused_unless_asked(run, speller, tmp_path) -> None:
    source, target = tmp_path / "q8.gguf", tmp_path / "new.gguf"
    assert run("quantize", speller, source, "--type", "q8_0").code == 0
    ran = run("quantize", source, target, "--type", "q4_0")
    assert (ran.code, ran.out, target.exists()) == (2, "", False)
    assert ran.err.count("\n") == 1
    assert "token_embd.weight is quantised already, to Q8_0" in ran.err
    assert "--requantise" in ran.err
    assert run("quantize", source, target, "--type", "q4_0", "--requantise").code == 0
    assert stored_types(target)["blk.0.ffn_up_exps.weight"] == "Q4_0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["new.gguf", "--type", "q9"], "unknown mix 'q9'; use one of q8_0, q6_k, q5_k_m"),
        (["new.bin", "--type", "q8_0"], "must end in .gguf"),
        (["new.gguf"], "--type"),
    ],
)
def test_mistakes_are_one_line_and_no_file(run, speller, tmp_path, arguments, message) -> None:
    name, *options = arguments
    ran = run("quantize", speller, tmp_path / name, *options)
    assert (ran.code, ran.out, list(tmp_path.glob("*new*"))) == (2, "", [])
    assert ran.err.count("\n") == 1
    assert message in ran.err


def test_weights_that_are_no_numbers_are_refused_by_name(run, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_babbler(tmp_path / "bad")
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("up_proj") or ".w3." in name)
    tensors[name].view(-1)[7] = float("nan")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    ran = run("quantize", folder, tmp_path / "new.gguf", "--type", "q8_0")
    assert (ran.code, list(tmp_path.glob("*new*"))) == (2, [])
    assert name in ran.err
    assert "NaN" in ran.err


def test_stopping_leaves_nothing_behind(run, speller, tmp_path, monkeypatch) -> None:
    class Stopped:
        def __init__(self, *arguments: object) -> None:
            self.stream = Stream(*arguments)

        def of(self, names):
            tensors = self.stream.of(names)
            yield next(tensors)
            raise KeyboardInterrupt

    Stream = convert._Stream
    monkeypatch.setattr(convert, "_Stream", Stopped)
    ran = run("quantize", speller, tmp_path / "new.gguf", "--type", "q8_0")
    assert ran.code == 130
    assert list(tmp_path.glob("*new*")) == []
    assert list(tmp_path.glob(".*new*")) == []


def test_without_the_library_it_says_so_and_writes_all_the_same(
    run, speller, tmp_path, monkeypatch
) -> None:
    from ostro.kernels import quantise
    from ostro.kernels.library import NoLibrary

    monkeypatch.setattr(quantise, "load_library", lambda: NoLibrary("not built", "build it"))
    ran = run("quantize", speller, tmp_path / "new.gguf", "--type", "q8_0")
    assert ran.code == 0
    assert "not built; build it" in ran.err
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "other.gguf")
    assert stored_types(tmp_path / "new.gguf")["output.weight"] == "Q8_0"
