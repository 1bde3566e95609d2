"""Log probabilities in chunks are those of all at once, and so are their gradients."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.objectives.distillation import distillation
from ostro.objectives.language import IGNORED, Sum, causal_lm, token_logprobs

ROWS, DIM, VOCAB = 11, 6, 17


def step(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(ROWS, DIM, generator=generator, dtype=dtype)
    head = torch.randn(VOCAB, DIM, generator=generator, dtype=dtype)
    return hidden.requires_grad_(), head.requires_grad_()


def targets(*ignored: int) -> torch.Tensor:
    found = torch.arange(ROWS) * 5 % VOCAB
    found[list(ignored)] = IGNORED
    return found


@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
def test_the_loss_and_its_gradients_are_those_of_cross_entropy(chunk) -> None:
    wanted = targets(0, 4, 5, 10)
    hidden, head = step()
    plain = F.cross_entropy(hidden @ head.T, wanted, reduction="sum", ignore_index=IGNORED)
    expected = torch.autograd.grad(plain, (hidden, head))
    loss = causal_lm(hidden, head, wanted, chunk_rows=chunk)
    assert loss.count == ROWS - 4
    torch.testing.assert_close(loss.total, plain)
    torch.testing.assert_close(loss.mean, plain / (ROWS - 4))
    torch.testing.assert_close(torch.autograd.grad(loss.total, (hidden, head)), expected)


def test_what_needs_no_gradient_gets_none() -> None:
    hidden, head = step()
    loss = causal_lm(hidden.detach(), head, targets()).total
    loss.backward()
    assert head.grad is not None
    with torch.no_grad():
        assert not causal_lm(hidden, head, targets()).total.requires_grad


def test_a_scaled_loss_has_scaled_gradients() -> None:
    hidden, head = step()
    plain = torch.autograd.grad(causal_lm(hidden, head, targets()).total, (hidden, head))
    scaled = torch.autograd.grad(causal_lm(hidden, head, targets()).total * 0.25, (hidden, head))
    for one, other in zip(plain, scaled, strict=True):
        torch.testing.assert_close(one * 0.25, other)


def test_the_log_probabilities_of_rows_stand_where_the_rows_do() -> None:
    hidden, head = step()
    wanted = targets(2, 3)
    found = token_logprobs(hidden, head, wanted, chunk_rows=4)
    table = (hidden @ head.T).log_softmax(1).tolist()
    expected = [
        0.0 if target < 0 else row[target]
        for row, target in zip(table, wanted.tolist(), strict=True)
    ]
    assert found.tolist() == pytest.approx(expected)


def test_where_nothing_counts_nothing_is_learned() -> None:
    hidden, head = step()
    loss = causal_lm(hidden, head, torch.full((ROWS,), IGNORED))
    assert (loss.total.item(), loss.count, loss.mean.item()) == (0.0, 0, 0.0)


def test_narrow_numbers_are_summed_in_float32() -> None:
    hidden, head = step(dtype=torch.bfloat16)
    loss = causal_lm(hidden, head, targets())
    assert loss.total.dtype == torch.float32
    logits = (hidden @ head.T).float()
    torch.testing.assert_close(loss.total, F.cross_entropy(logits, targets(), reduction="sum"))


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, ROWS), ignored=st.sets(st.integers(0, ROWS - 1)))
def test_parts_add_up_to_the_whole(cut, ignored) -> None:
    """A mean of means would not, where parts have different numbers of targets."""
    hidden, head = step()
    wanted = targets(*ignored)
    parts = [
        causal_lm(hidden[some], head, wanted[some]) for some in (slice(0, cut), slice(cut, None))
    ]
    whole, both = causal_lm(hidden, head, wanted), parts[0] + parts[1]
    assert whole.count == both.count
    torch.testing.assert_close(whole.total, both.total)
    assert isinstance(both, Sum)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_distillation_is_the_divergence_from_the_parent(temperature) -> None:
    (hidden, head), (parent, parent_head) = step(), step(1)
    wanted = targets(1, 7)
    counted = wanted != IGNORED
    own = (hidden @ head.T / temperature).log_softmax(1)[counted]
    theirs = (parent @ parent_head.T / temperature).log_softmax(1)[counted].detach()
    plain = temperature**2 * F.kl_div(own, theirs, reduction="sum", log_target=True)
    loss = distillation(
        hidden, head, parent, parent_head, wanted, temperature=temperature, chunk_rows=4
    )
    assert loss.count == ROWS - 2
    torch.testing.assert_close(loss.total, plain)
    expected = torch.autograd.grad(plain, (hidden, head))
    loss.total.backward()
    torch.testing.assert_close((hidden.grad, head.grad), expected)
    assert parent.grad is None
    assert parent_head.grad is None


def test_a_model_that_is_its_parent_has_nothing_to_learn() -> None:
    hidden, head = step()
    loss = distillation(hidden, head, hidden, head, targets())
    loss.total.backward()
    assert loss.total.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(hidden.grad, torch.zeros_like(hidden))


def test_a_temperature_of_zero_is_refused() -> None:
    hidden, head = step()
    with pytest.raises(ValueError, match="temperature must be above 0"):
        distillation(hidden, head, hidden, head, targets(), temperature=0)
