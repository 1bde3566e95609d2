"""Balance is 1, in each layer by itself, and its gradient reaches the router."""

import pytest
import torch
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from ostro.objectives.router import balance_loss, z_loss

TOKENS, EXPERTS = 24, 8


def routed(top_k: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(TOKENS, EXPERTS, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), logits.topk(top_k, dim=1).indices


@pytest.mark.parametrize("top_k", [1, 2, 3, 8])
def test_balance_is_one_for_every_k(top_k) -> None:
    logits = torch.zeros(TOKENS, EXPERTS, dtype=torch.float64)
    experts = (torch.arange(TOKENS)[:, None] + torch.arange(top_k)) % EXPERTS
    assert float(balance_loss(logits, experts)) == pytest.approx(1)


def test_one_pair_of_experts_for_everything_is_the_worst() -> None:
    logits = torch.full((TOKENS, EXPERTS), -50.0, dtype=torch.float64)
    logits[:, :2] = 50.0
    assert float(balance_loss(logits, logits.topk(2).indices)) == pytest.approx(EXPERTS / 2)


def test_it_is_the_loss_of_hugging_face_over_k_in_each_layer() -> None:
    logits, experts = routed()
    theirs = load_balancing_loss_func((logits,), EXPERTS, 2)
    assert 2 * balance_loss(logits, experts).item() == pytest.approx(theirs.item())


def test_the_gradient_is_that_of_its_formula() -> None:
    """E sum_e f_e dP_e, with the choices held fixed, and no factor of the number of tokens."""
    logits, experts = routed()
    (found,) = torch.autograd.grad(balance_loss(logits, experts), logits)
    shares = experts.flatten().bincount(minlength=EXPERTS) / experts.numel()
    p = logits.detach().softmax(1)
    expected = EXPERTS / TOKENS * p * (shares - (p * shares).sum(1, keepdim=True))
    torch.testing.assert_close(found, expected)
    assert float(found.abs().min()) > 0


def test_a_step_against_it_evens_the_probabilities() -> None:
    logits = torch.randn(TOKENS, EXPERTS, generator=torch.Generator().manual_seed(3))
    logits[:, 0] += 2
    logits.requires_grad_()
    before = balance_loss(logits, logits.topk(2).indices)
    (gradient,) = torch.autograd.grad(before, logits)
    after = logits - 5 * gradient
    assert balance_loss(after, after.topk(2).indices).item() < before.item()


@pytest.mark.parametrize("loss", ["balance", "z"])
def test_padding_counts_for_nothing(loss) -> None:
    logits, experts = routed()
    counted = torch.arange(TOKENS) % 3 > 0

    def value(logits: torch.Tensor, experts: torch.Tensor, counted: torch.Tensor | None = None):
        return (
            balance_loss(logits, experts, counted) if loss == "balance" else z_loss(logits, counted)
        )

    masked = value(logits, experts, counted)
    torch.testing.assert_close(masked, value(logits[counted], experts[counted]))
    (gradient,) = torch.autograd.grad(masked, logits)
    assert not gradient[~counted].any()
    assert gradient[counted].any()
    nothing = value(logits, experts, torch.zeros(TOKENS, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert float(nothing.detach()) == 0
    assert not gradient.any()


def test_z_is_the_mean_square_of_the_log_sums() -> None:
    logits, _ = routed()
    expected = sum(float(row.exp().sum().log()) ** 2 for row in logits.detach()) / TOKENS
    assert z_loss(logits).item() == pytest.approx(expected)
