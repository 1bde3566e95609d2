"""Less of what an adapter learned."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adapter_shares import between, with_strength
from ostro.errors import OstroError
from ostro.weights.checkpoint import open_checkpoint
from peft_files import random_pairs, save_adapter
from tiny import save_tiny

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.fixture
def stages(tmp_path: Path) -> tuple[Path, Path]:
    geometry = open_checkpoint(save_tiny(tmp_path / "model", "mixtral")).geometry
    before, after = (
        save_adapter(
            tmp_path / name,
            random_pairs(geometry, leaves=tuple(ATTENTION), seed=seed),
            target_modules=ATTENTION,
        )
        for seed, name in enumerate(("before", "after"))
    )
    return before, after


def test_strength_is_a_share_of_alpha(stages: tuple[Path, Path], tmp_path: Path) -> None:
    whole = stages[0]
    with_strength(whole, tmp_path / "less", 0.25)
    settings = [json.loads((folder / CONFIG).read_text()) for folder in (whole, tmp_path / "less")]
    assert settings[1].pop("lora_alpha") == 0.25 * settings[0].pop("lora_alpha")
    assert settings[0] == settings[1]
    assert (tmp_path / "less" / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


@pytest.mark.parametrize("share", [0.35, 1.0])
def test_between_two_stages(stages: tuple[Path, Path], tmp_path: Path, share: float) -> None:
    between(*stages, tmp_path / "between", share)
    one, other, found = (load_file(folder / WEIGHTS) for folder in (*stages, tmp_path / "between"))
    for name, tensor in found.items():
        wanted = (1 - share) * one[name].double() + share * other[name].double()
        torch.testing.assert_close(tensor.double(), wanted, rtol=2e-3, atol=1e-5)


def test_stages_of_two_adapters_are_refused(stages: tuple[Path, Path], tmp_path: Path) -> None:
    before, after = stages
    with_strength(after, tmp_path / "other", 0.5)
    with pytest.raises(OstroError, match="are not stages of one adapter"):
        between(before, tmp_path / "other", tmp_path / "between", 0.5)
    assert not (tmp_path / "between").exists()
