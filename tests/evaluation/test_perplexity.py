"""Perplexity against its definition."""

import pytest
import torch

import ostro
from ostro.errors import OstroError
from ostro.evaluation import perplexity as module
from ostro.evaluation.perplexity import perplexity
from ostro.runtime.progress import SilentProgress
from tiny import save_tiny, tiny_transformers_model

IDS = [(11 * n + n * n) % 160 for n in range(100)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ostro.load(save_tiny(tmp_path_factory.mktemp("m")), progress=SilentProgress()).model


def expected(ids: list[int]) -> float:
    """Exp of the mean of -log p(token | all before), with probabilities from transformers."""
    with torch.no_grad():
        logits = tiny_transformers_model("mixtral")(torch.tensor([ids])).logits[0].double()
    log_p = torch.log_softmax(logits, dim=-1)
    likelihoods = [-log_p[at, token] for at, token in enumerate(ids[1:])]
    return float(torch.stack(likelihoods).mean().exp())


@pytest.mark.parametrize("count", [2, 3, 100])
def test_it_is_exp_of_the_mean_negative_log_likelihood(model, count) -> None:
    found = perplexity(model, IDS[:count], 512)
    assert found.tokens == count - 1
    assert found.value == pytest.approx(expected(IDS[:count]), rel=1e-5)


@pytest.mark.parametrize("step", [1, 7, 33, 99, 100, 101])
def test_steps_cut_the_reading_and_not_the_text(model, monkeypatch, step) -> None:
    monkeypatch.setattr(module, "_STEP", step)
    found = perplexity(model, IDS, 512)
    assert found.tokens == 99
    assert found.value == pytest.approx(expected(IDS), rel=1e-5)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large(tmp_path) -> None:
    llm = ostro.load(save_tiny(tmp_path / "m"), dtype="float32", progress=SilentProgress())
    llm.model.head_VD.zero_()
    assert perplexity(llm.model, IDS, 512).value == pytest.approx(160, rel=1e-6)


@pytest.mark.parametrize("count", [0, 1, 51])
def test_too_few_or_too_many_tokens_are_refused(model, count) -> None:
    with pytest.raises(OstroError, match=f"perplexity needs 2 to 50 tokens, not {count}"):
        perplexity(model, IDS[:count], 50)


def test_the_whole_context_may_be_used(model) -> None:
    assert perplexity(model, IDS[:50], 50).tokens == 49
