"""Scaled rotary positions: against an independent implementation, and natively."""

from dataclasses import replace

import pytest
import torch

from native_library import contexts
from ostro.config import RopeScaling
from ostro.kernels.rope import rope_angles, rope_frequencies

POSITIONS = torch.tensor([0, 1, 17, 511, 4095, 32_767])
LINEAR = RopeScaling(kind="linear", factor=4.0)
YARN = RopeScaling(kind="yarn", factor=4.0, original_context=8192)
SCALINGS = {
    "linear": LINEAR,
    "yarn": YARN,
    "attention-factor": replace(YARN, attention_factor=0.8),
    "betas": replace(YARN, beta_fast=16.0, beta_slow=2.0),
    "not-truncated": replace(YARN, truncate=False, factor=2.5),
    "short": replace(YARN, original_context=3),
    "steep": replace(YARN, beta_fast=1.0, truncate=False),
}


def _reference(scaling: RopeScaling, head_dim: int, theta: float) -> tuple[torch.Tensor, float]:
    """Frequencies and magnitude as transformers computes them."""
    from transformers import MixtralConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = {"rope_type": scaling.kind, "rope_theta": theta, "factor": scaling.factor}
    if scaling.kind == "yarn":
        rope |= {
            "original_max_position_embeddings": scaling.original_context,
            "attention_factor": scaling.attention_factor,
            "beta_fast": scaling.beta_fast,
            "beta_slow": scaling.beta_slow,
            "truncate": scaling.truncate,
        }
    config = MixtralConfig(
        hidden_size=4 * head_dim, num_attention_heads=4, head_dim=head_dim, rope_parameters=rope
    )
    frequencies, magnitude = ROPE_INIT_FUNCTIONS[scaling.kind](config, torch.device("cpu"))
    return frequencies, magnitude


@pytest.mark.parametrize(("head_dim", "theta"), [(16, 1e4), (64, 1e5), (128, 1e6)])
@pytest.mark.parametrize("name", SCALINGS)
def test_cosines_and_sines_are_those_of_transformers(name, head_dim, theta) -> None:
    scaling = SCALINGS[name]
    frequencies, magnitude = _reference(scaling, head_dim, theta)
    angles = torch.outer(POSITIONS.float(), frequencies)
    cos, sin = rope_angles(POSITIONS, head_dim, theta, scaling)
    assert torch.equal(rope_frequencies(head_dim, theta, scaling), frequencies)
    torch.testing.assert_close(cos[:, 0], angles.cos() * magnitude, atol=1e-6, rtol=0)
    torch.testing.assert_close(sin[:, 0], angles.sin() * magnitude, atol=1e-6, rtol=0)


def test_without_scaling_nothing_changes() -> None:
    exponents = torch.arange(0, 64, 2, dtype=torch.float32) / 64
    frequencies = 1.0 / 1e4**exponents
    assert torch.equal(rope_frequencies(64, 1e4), frequencies)
    angles = POSITIONS.float()[:, None, None] * frequencies
    cos, sin = rope_angles(POSITIONS, 64, 1e4)
    assert torch.equal(cos, angles.cos())
    assert torch.equal(sin, angles.sin())
    one = RopeScaling(kind="linear", factor=1.0)
    assert torch.equal(rope_frequencies(64, 1e4, one), frequencies)


def test_yarn_keeps_fast_pairs_and_slows_slow_ones() -> None:
    plain, yarn = rope_frequencies(64, 1e5), rope_frequencies(64, 1e5, YARN)
    turns = plain * 8192 / (2 * torch.pi)
    fast, slow = turns > 2 * 32, turns < 0.5
    assert fast.sum() > 3
    assert slow.sum() > 3
    assert torch.equal(yarn[fast], plain[fast])
    torch.testing.assert_close(yarn[slow], plain[slow] / 4)
    between = ~fast & ~slow
    assert (yarn[between] <= plain[between]).all()
    assert (yarn[between] >= plain[between] / 4 * (1 - 1e-6)).all()


@pytest.mark.parametrize("name", SCALINGS)
def test_native_angles_are_the_twins(name) -> None:
    scaling = SCALINGS[name]
    cos, sin = rope_angles(POSITIONS, 64, 1e5, scaling)
    for context in contexts(2).values():
        plain = context.rope_angles(POSITIONS, 64, 1e5)
        found = context.rope_angles(POSITIONS, 64, 1e5, scaling)
        again = context.rope_angles(POSITIONS, 64, 1e5)
        assert found[0].shape == cos.shape
        torch.testing.assert_close(found[0], cos, atol=1e-6, rtol=0)
        torch.testing.assert_close(found[1], sin, atol=1e-6, rtol=0)
        assert torch.equal(plain[0], again[0])
        assert not torch.equal(plain[0], found[0])


def test_native_angles_do_not_depend_on_how_positions_are_cut() -> None:
    positions = torch.arange(4000, 4100)
    for context in contexts(2).values():
        whole = context.rope_angles(positions, 64, 1e5, YARN)
        parts = [context.rope_angles(part, 64, 1e5, YARN) for part in positions.split(7)]
        for number in range(2):
            assert torch.equal(torch.cat([part[number] for part in parts]), whole[number])
