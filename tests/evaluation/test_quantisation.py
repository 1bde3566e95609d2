"""What quantising cost, against the definitions written out and models that are known to differ."""

import math

import pytest
import torch

import ostro
from ostro.errors import OstroError
from ostro.evaluation import quantisation as module
from ostro.evaluation.quantisation import compare
from ostro.kernels.router import route
from ostro.model.routing import kept_routing
from ostro.runtime.progress import SilentProgress
from tiny import save_gguf
from tiny_chat import BOS, save_babbler, text_ids

SILENT = SilentProgress()
TEXT = "Begin the morning by saying to thyself, I shall meet with the busybody. " * 3


def load(path, name: str, **options):
    llm = ostro.load(path, progress=SILENT, **options)
    llm.name = name
    return llm


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_babbler(tmp_path_factory.mktemp("models") / "m")


@pytest.fixture(scope="module", params=["native", "float32"])
def options(request):
    """Both ways to compute keep their routing."""
    return {} if request.param == "native" else {"dtype": "float32"}


@pytest.fixture(scope="module")
def full(folder, options):
    return load(folder, "full", **options)


@pytest.fixture(scope="module")
def quantised(folder, options, tmp_path_factory):
    path = save_gguf(tmp_path_factory.mktemp("models") / "q.gguf", folder, "Q4_0")
    return load(path, "quantised", **options)


def test_a_model_is_its_own_equal(full) -> None:
    found = compare(full, full, TEXT, 64, SILENT)
    assert (found.divergence, found.divergence_error, found.median_divergence) == (0, 0, 0)
    assert (found.agreement, found.same_experts) == (1, (1, 1, 1))
    assert found.full_perplexity == found.quantised_perplexity > 1


@pytest.mark.parametrize("step", [5, 63, 256])
def test_numbers_are_those_of_the_definitions(full, quantised, monkeypatch, step) -> None:
    monkeypatch.setattr(module, "_STEP", step)
    found = compare(full, quantised, TEXT, 64, SILENT)
    body = text_ids(TEXT)
    windows = [[BOS, *body[start : start + 63]] for start in range(0, len(body), 63)]
    targets = torch.tensor([token for ids in windows for token in ids[1:]])
    p, q = (
        torch.cat([llm.logits(ids[:-1]) for ids in windows]).double().log_softmax(-1)
        for llm in (full, quantised)
    )
    divergences = (p.exp() * (p - q)).sum(-1)
    assert found.tokens == len(targets) == len(body)
    for log_p, perplexity in ((p, found.full_perplexity), (q, found.quantised_perplexity)):
        losses = -log_p[torch.arange(len(targets)), targets]
        assert perplexity == pytest.approx(math.exp(losses.mean()), rel=1e-4)
    assert found.divergence == pytest.approx(float(divergences.mean()), rel=1e-2)
    assert found.median_divergence == pytest.approx(float(divergences.median()), rel=1e-2)
    assert found.divergence_error == pytest.approx(
        float(divergences.std()) / len(targets) ** 0.5, rel=0.05
    )
    assert found.agreement == pytest.approx(float((p.argmax(-1) == q.argmax(-1)).double().mean()))
    assert 0 < min(found.same_experts) < 1


def test_moved_experts_are_counted_in_their_layer(folder) -> None:
    """Exchanging two experts' rows in one router moves every token that uses just one of them."""
    other = load(folder, "other", dtype="float32")
    plain = load(folder, "plain", dtype="float32")
    mixture = list(other.model.blocks())[2].feed_forward
    with torch.no_grad():
        mixture.router_ED[[0, 1]] = mixture.router_ED[[1, 0]]
    with kept_routing(plain.model) as routing:
        plain.logits([BOS, *text_ids(TEXT)][:-1])
        chosen = routing.chosen()[2]
    stays = ((chosen == 0).any(-1) == (chosen == 1).any(-1)).double().mean()
    found = compare(plain, other, TEXT, 512, SILENT)
    assert found.same_experts == pytest.approx((1, 1, float(stays)))
    assert 0 < float(stays) < 1


def test_a_dense_model_has_no_experts(tmp_path, options) -> None:
    llm = load(save_babbler(tmp_path / "m", "mistral"), "dense", **options)
    assert compare(llm, llm, TEXT, 64, SILENT).same_experts == ()


def test_routing_is_what_the_router_says_and_is_forgotten(full) -> None:
    ids = text_ids("Nothing")
    before = full.logits(ids)
    with kept_routing(full.model) as routing:
        within = full.logits(ids)
        chosen = routing.chosen()
    assert torch.equal(before, within)
    assert [tuple(experts.shape) for experts in chosen] == [(len(ids), 2)] * 3
    assert all(0 <= int(experts.min()) <= int(experts.max()) < 8 for experts in chosen)
    for block in full.model.blocks():
        packed = block.packed_feed_forward
        if packed is not None:
            assert packed.experts.keeps_routing is False
        else:
            assert block.feed_forward.kernels.route is route


def test_native_and_plain_models_route_alike(folder) -> None:
    found = compare(load(folder, "a"), load(folder, "b", dtype="float32"), TEXT, 64, SILENT)
    assert found.divergence < 1e-8
    assert found.same_experts == (1, 1, 1)


@pytest.mark.parametrize(("text", "window"), [("", 64), ("a", 2)])
def test_too_little_to_predict_is_refused(full, text, window) -> None:
    with pytest.raises(OstroError, match="two tokens at least"):
        compare(full, full, text, window, SILENT)


def test_two_different_models_are_refused(full, tmp_path) -> None:
    other = load(save_babbler(tmp_path / "m", num_hidden_layers=2), "other")
    message = "full has 260 tokens and 3 layers of 8 experts, 2 a token, other 260 tokens and 2"
    with pytest.raises(OstroError, match=message):
        compare(full, other, TEXT, 64, SILENT)
