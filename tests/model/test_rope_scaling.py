"""Models with scaled positions: against an independent implementation, in steps, and natively."""

from pathlib import Path

import pytest
import torch

import ostro
from native_library import needs_native
from ostro.config.rope_scaling import ntk_theta
from ostro.engine.session import Session
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress
from tiny import save_tiny, tiny_transformers_model

SILENT = SilentProgress()
TOKENS = torch.randint(0, 160, (201,), generator=torch.Generator().manual_seed(1)).tolist()
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
SCALINGS = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "yarn": YARN,
    "attention-factor": YARN | {"attention_factor": 0.75},
    "mscale": YARN | {"mscale": 0.7, "mscale_all_dim": 1.3},
    "betas": YARN | {"beta_fast": 8.0, "beta_slow": 2.0},
    "not-truncated": YARN | {"truncate": False, "factor": 3.0},
}


def _relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def _reference_logits(reference) -> torch.Tensor:
    with torch.no_grad():
        return reference(torch.tensor([TOKENS])).logits[0].float()


def _config(scaling: dict) -> dict:
    rope = scaling | {"rope_theta": 1e4}
    # Transformers computes YaRN only where the width of a head is said.
    return {"rope_parameters": rope, "max_position_embeddings": 256, "head_dim": 16}


@pytest.mark.parametrize(
    ("kind", "name"), [*(("mixtral", name) for name in SCALINGS), ("llama", "yarn")]
)
def test_logits_agree_with_transformers(kind, name, tmp_path: Path) -> None:
    reference = tiny_transformers_model(kind, **_config(SCALINGS[name]))
    reference.save_pretrained(tmp_path)
    llm = ostro.load(tmp_path, dtype="float32", progress=SILENT)
    expected = _reference_logits(reference)
    logits = Session(llm.model, 256).feed(TOKENS, all_logits=True)
    assert _relative(logits, expected) < 1e-5
    plain = ostro.load(tmp_path, dtype="float32", rope_scaling="default", progress=SILENT)
    without = Session(plain.model, 256).feed(TOKENS, all_logits=True)
    assert _relative(without, expected) > 1e-2


@pytest.mark.parametrize("name", ["linear", "yarn", "attention-factor"])
def test_a_choice_at_load_is_the_same_model(name, tmp_path: Path) -> None:
    reference = tiny_transformers_model("mixtral", **_config(SCALINGS[name]))
    plain = save_tiny(
        tmp_path / "m",
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
    )
    llm = ostro.load(plain, dtype="float32", rope_scaling=SCALINGS[name], progress=SILENT)
    assert llm.context == 256
    logits = Session(llm.model, 256).feed(TOKENS, all_logits=True)
    assert _relative(logits, _reference_logits(reference)) < 1e-5


def test_ntk_is_another_base(tmp_path: Path) -> None:
    theta = ntk_theta(1e4, 4.0, 16)
    reference = tiny_transformers_model(
        "mixtral", rope_parameters={"rope_type": "default", "rope_theta": theta}
    )
    plain = save_tiny(
        tmp_path / "m",
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
    )
    llm = ostro.load(plain, dtype="float32", rope_scaling="ntk:4", progress=SILENT)
    assert (llm.context, llm.model.geometry.rope_scaling) == (256, None)
    logits = Session(llm.model, 256).feed(TOKENS, all_logits=True)
    assert _relative(logits, _reference_logits(reference)) < 1e-5


@pytest.mark.parametrize(
    ("choice", "dtype"),
    [("linear:4", None), ("yarn:4", None), ("ntk:4", None), ("yarn:4", "float32")],
)
def test_reading_in_steps_equals_one_pass(choice, dtype, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "m", max_position_embeddings=64)
    home = Environment(home=tmp_path / "home")
    llm = ostro.load(folder, dtype=dtype, rope_scaling=choice, environment=home, progress=SILENT)
    whole = Session(llm.model, 256).feed(TOKENS, all_logits=True)
    native = llm.model.packed is not None
    for chunk in (1, 33) if native else (33,):
        steps = Session(llm.model, 256, chunk=chunk).feed(TOKENS, all_logits=True)
        if native:
            assert torch.equal(steps, whole)
        else:
            assert _relative(steps, whole) < 1e-5


@needs_native
@pytest.mark.parametrize("choice", ["linear:4", "yarn:4", "ntk:4"])
def test_natively_it_is_the_same_model(choice, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "m", max_position_embeddings=64)
    home = Environment(home=tmp_path / "home")
    logits = [
        Session(
            ostro.load(
                folder, dtype=dtype, rope_scaling=choice, environment=home, progress=SILENT
            ).model,
            256,
        ).feed(TOKENS, all_logits=True)
        for dtype in (None, "float32")
    ]
    assert _relative(*logits) < 1e-4
