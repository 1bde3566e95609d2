"""Attention over whole sequences against its formula, written out."""

import pytest
import torch

from ostro.kernels.packed_attention import packed_attention

H, N, d = 4, 2, 8
LENGTHS = [5, 1, 19, 7]
EQUAL = [8, 8, 8, 8]


def _inputs(seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = sum(LENGTHS)
    return [
        torch.randn((rows, heads, d), generator=generator, requires_grad=True)
        for heads in (H, N, N)
    ]


def _written_out(q, k, v, lengths: list[int], window: int | None) -> torch.Tensor:
    owners = torch.repeat_interleave(torch.tensor(lengths))
    rows = torch.arange(len(owners))
    age = rows[:, None] - rows
    seen = (owners[:, None] == owners) & (age >= 0)
    if window is not None:
        seen &= age < window
    heads = []
    for head in range(H):
        key_head = head // (H // N)
        scores = q[:, head] @ k[:, key_head].T / d**0.5
        heads.append(scores.masked_fill(~seen, -torch.inf).softmax(1) @ v[:, key_head])
    return torch.stack(heads, dim=1)


@pytest.mark.parametrize("window", [None, 6, 100])
@pytest.mark.parametrize("lengths", [LENGTHS, EQUAL], ids=["different", "equal"])
def test_output_and_gradients_are_those_of_the_formula(
    lengths: list[int], window: int | None
) -> None:
    inputs = _inputs()
    got = packed_attention(*inputs, lengths, window)
    expected = _written_out(*inputs, lengths, window)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    weights = torch.linspace(-1, 1, got.numel()).view_as(got)
    for mine, theirs in zip(
        torch.autograd.grad((got * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_sequence_does_not_see_its_neighbours() -> None:
    q, k, v = _inputs()
    before = packed_attention(q, k, v, LENGTHS, None)
    with torch.no_grad():
        v[:5] += 100  # The first sequence's.
    after = packed_attention(q, k, v, LENGTHS, None)
    assert torch.equal(before[5:], after[5:])
    assert not torch.equal(before[:5], after[:5])
