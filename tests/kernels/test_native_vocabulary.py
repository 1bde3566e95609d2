"""What sampling wants of logits, and rotary angles: the native kernels against their twins."""

import math

import pytest
import torch

from native_library import contexts, needs_native
from ostro.kernels.native import NativeContext
from ostro.kernels.rope import rope_angles
from ostro.kernels.vocabulary import largest, summarise

pytestmark = needs_native


def _contexts() -> list[NativeContext]:
    return [context for threads in (1, 2, 3) for context in contexts(threads).values()]


COUNTS = [1, 7, 8, 4095, 4096, 4097, 49152]


@pytest.mark.parametrize("count", COUNTS)
def test_the_summary_is_the_twins(count) -> None:
    logits = torch.randn(count, generator=torch.Generator().manual_seed(count)) * 5
    for temperature in (0.3, 1.0, 2.0):
        where, log_sum = summarise(logits, temperature)
        for context in _contexts():
            assert context.summarise(logits, temperature) == (
                where,
                pytest.approx(log_sum, abs=1e-5 / temperature),
            )


def test_the_summary_has_the_same_bits_for_every_number_of_threads() -> None:
    logits = torch.randn(30_001)
    assert len({context.summarise(logits, 0.7) for context in _contexts()}) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 4100, 4999])
def test_a_number_that_is_not_finite_is_told(value, place) -> None:
    logits = torch.randn(5000)
    logits[place] = value
    assert math.isnan(summarise(logits)[1])
    for context in _contexts():
        assert math.isnan(context.summarise(logits)[1])


def test_of_equal_logits_the_first_is_the_likeliest() -> None:
    logits = torch.zeros(9000)
    logits[[77, 78, 5000]] = 2.0
    for context in _contexts():
        assert context.summarise(logits)[0] == 77


@pytest.mark.parametrize("order", ["random", "ascending", "descending", "equal", "few values"])
@pytest.mark.parametrize("count", [1, 5, 256, 3000])
def test_the_largest_are_the_twins(order, count) -> None:
    logits = torch.randn(3000, generator=torch.Generator().manual_seed(1))
    if order == "ascending":
        logits = logits.sort().values
    elif order == "descending":
        logits = logits.sort(descending=True).values
    elif order == "equal":
        logits = torch.full((3000,), -1.5)
    elif order == "few values":
        logits = logits.round()
    values, tokens = largest(logits, count)
    for context in _contexts():
        found = context.largest(logits, count)
        assert torch.equal(found[0], values)
        assert torch.equal(found[1], tokens)


def test_rotary_angles_are_the_twins() -> None:
    positions = torch.tensor([0, 1, 17, 4095, 32767])
    for head_dim, theta in ((64, 1e4), (128, 1e6)):
        cos, sin = rope_angles(positions, head_dim, theta)
        for context in _contexts():
            found = context.rope_angles(positions, head_dim, theta)
            assert found[0].shape == cos.shape
            torch.testing.assert_close(found[0], cos, atol=1e-6, rtol=0)
            torch.testing.assert_close(found[1], sin, atol=1e-6, rtol=0)
