"""What must be so before a step was taken, and what must not matter."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ostro.config import Geometry
from ostro.config.recipe import Distillation, LoRA, Router, parse_recipe
from ostro.data.batch import Sample, join, sequence_sample
from ostro.kernels.dispatch import training_kernels
from ostro.model import Mixtral, RouterRecord, WholeStep
from ostro.objectives.router import balance_loss, z_loss
from ostro.runtime.progress import SilentProgress
from ostro.training.assembly import assemble
from ostro.training.beginning import Places, begin, read_parent
from ostro.training.expert_loads import ExpertLoads
from ostro.training.initial_weights import new_model
from ostro.training.language_task import LanguageTask
from ostro.training.lora import LoRAParameters, lora_parameters
from ostro.training.parent_rows import SameTokens
from ostro.training.ranks import Ranks
from ostro.training.recompute import recompute_layers
from ostro.training.router_health import RouterHealth
from ostro.training.step import Gradients
from ostro.training.task import Counts, Learner, Root, count
from tiny import save_tiny
from tiny_runs import GEOMETRY, save_data, tiny_recipe

CPU = torch.device("cpu")


def _samples(lengths: Sequence[int] = (40, 7, 23, 31, 12, 3, 25, 60)) -> list[Sample]:
    generator = torch.Generator().manual_seed(2)
    found = []
    for number, length in enumerate(lengths):
        ids = torch.randint(0, 256, (length,), generator=generator).numpy()
        learned = torch.arange(length).numpy() >= length // 3
        found.append(sequence_sample(ids, learned, length, number))
    return found


def _model(seed: int = 0, **changes: Any) -> Mixtral:
    return new_model(Geometry(**GEOMETRY | changes), seed).requires_grad_()


def _gradients(
    model: Mixtral,
    samples: Sequence[Sample],
    *,
    micro_batch: int,
    router: Router = Router(),  # noqa: B008
) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    learner = Learner(Root(model), RouterRecord(model))
    task, ranks = LanguageTask(learner, router), Ranks()
    health = RouterHealth(learner, ranks, {})
    loads = ExpertLoads(learner.record, model.geometry, ranks, memory=0.0)
    figures, _ = Gradients(learner, task, health, loads, ranks, micro_batch=micro_batch)(samples)
    return figures["loss"], {n: p.grad.clone() for n, p in model.named_parameters()}


def _close(one: tuple[float, dict], other: tuple[float, dict], bound: float = 1e-5) -> None:
    assert one[0] == pytest.approx(other[0], rel=bound)
    for name, expected in other[1].items():
        difference = (one[1][name] - expected).norm() / expected.norm().clamp(min=1e-12)
        assert difference.item() < bound, name


def test_eight_samples_are_two_times_four() -> None:
    samples = _samples()
    whole = _gradients(_model(), samples, micro_batch=8)
    for micro_batch in (1, 4):
        _close(_gradients(_model(), samples, micro_batch=micro_batch), whole)


def test_the_mean_is_over_tokens_and_not_over_micro_batches() -> None:
    samples = _samples()
    loss, _ = _gradients(_model(), samples, micro_batch=1)
    alone = [(_gradients(_model(), [s], micro_batch=1)[0], int(s.learned_T.sum())) for s in samples]
    by_token = sum(mean * tokens for mean, tokens in alone) / sum(tokens for _, tokens in alone)
    by_part = sum(mean for mean, _ in alone) / len(alone)
    assert loss == pytest.approx(by_token, rel=1e-5)
    assert loss != pytest.approx(by_part, rel=1e-5)


def test_packed_sequences_learn_what_they_learn_alone() -> None:
    samples = _samples()
    packed = _gradients(_model(), [join(samples)], micro_batch=1)
    _close(packed, _gradients(_model(), samples, micro_batch=1))


def test_layers_computed_again_have_the_same_gradients() -> None:
    router = Router(balance=0.01, z=0.001)
    plain = _gradients(_model(), _samples(), micro_batch=4, router=router)
    model = _model()
    recompute_layers(model)
    again = _gradients(model, _samples(), micro_batch=4, router=router)
    assert again[0] == plain[0]
    assert all(torch.equal(again[1][name], plain[1][name]) for name in plain[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, when it compiles.
def test_compiled_kernels_have_the_same_gradients() -> None:
    plain = _gradients(_model(), _samples(), micro_batch=4)
    kernels = training_kernels(compiled=True)
    model = new_model(Geometry(**GEOMETRY), 0, kernels).requires_grad_()
    _close(_gradients(model, _samples(), micro_batch=4), plain, 1e-4)


def test_every_layers_router_gets_the_balance_losss_gradient_in_its_size() -> None:
    """The error of a whole field: it is off, or wrong, and the loss does not tell."""
    samples, weight = [join(_samples())], 0.5
    with_it = _gradients(_model(), samples, micro_batch=1, router=Router(balance=weight))[1]
    without = _gradients(_model(), samples, micro_batch=1)[1]
    model = _model()
    record = RouterRecord(model)
    Learner(Root(model), record).hidden(samples[0])
    losses = [balance_loss(layer.logits_TE, layer.experts_TK) for layer in record.layers]
    parameters = dict(model.named_parameters())
    expected = torch.autograd.grad(
        weight * sum(losses) / len(losses), list(parameters.values()), allow_unused=True
    )
    for (name, _), gradient in zip(parameters.items(), expected, strict=True):
        got = with_it[name] - without[name]
        if gradient is None:
            assert got.abs().max() < 1e-6, name
        else:
            torch.testing.assert_close(got, gradient, rtol=1e-3, atol=1e-6)
            assert "router_ED" not in name or gradient.norm() > 1e-4


def test_the_z_loss_reaches_every_router_too() -> None:
    samples = [join(_samples())]
    with_it = _gradients(_model(), samples, micro_batch=1, router=Router(z=1.0))
    without = _gradients(_model(), samples, micro_batch=1)
    model = _model()
    record = RouterRecord(model)
    Learner(Root(model), record).hidden(samples[0])
    z = torch.stack([z_loss(layer.logits_TE) for layer in record.layers]).mean().item()
    assert with_it[0] - without[0] == pytest.approx(z, rel=1e-4)
    for name in with_it[1]:
        if name.endswith("router_ED"):
            assert (with_it[1][name] - without[1][name]).norm() > 1e-4


def test_an_upcycled_model_is_its_parent_and_stands_still_where_only_that_is_asked(
    tmp_path: Path,
) -> None:
    folder = save_tiny(tmp_path / "dense", "mistral", vocab_size=260, sliding_window=None)
    recipe = parse_recipe(
        {
            "model": {"path": str(folder), "experts": 4, "top_k": 2},
            "data": {"folder": "x"},
            "optimizer": {"lr": 1e-3},
            "schedule": {"steps": 1},
        },
        "pretrain",
        "test",
    )
    model = begin(recipe, Places(folder, folder), SilentProgress()).requires_grad_()
    parent = read_parent(folder, torch.float32, CPU, SilentProgress())
    record = RouterRecord(model)
    distilled = LanguageTask(
        Learner(Root(model), record),
        Router(),
        SameTokens(parent),
        Distillation(parent="p", weight=1.0),
    )
    sample = join(_samples())
    part = distilled(sample, count([sample]))
    assert part.figures["parent"].item() == pytest.approx(0.0, abs=1e-6)
    assert part.figures["lm"].item() > 1
    # The experts agree, and their weights sum to 1: the tokens say nothing to the router.
    plain = LanguageTask(Learner(Root(model), record), Router())
    model.zero_grad()
    plain(sample, count([sample])).loss.backward()
    for block in model.blocks():
        router = block.feed_forward.get_parameter("router_ED").grad
        experts = block.feed_forward.get_parameter("down_EDF").grad
        assert router is not None
        assert experts is not None
        assert router.norm() < 1e-5 * experts.norm()


def test_distillation_may_be_mixed_in() -> None:
    model, parent, sample = _model(0), _model(1), join(_samples())
    whole = count([sample])
    learner = Learner(Root(model), RouterRecord(model))

    def figures(weight: float) -> dict[str, float]:
        recipe = Distillation(parent="p", weight=weight)
        task = LanguageTask(learner, Router(), SameTokens(parent), recipe)
        return {name: float(value) for name, value in task(sample, whole).figures.items()}

    half = figures(0.25)
    assert half["loss"] == pytest.approx(0.75 * half["lm"] + 0.25 * half["parent"], rel=1e-6)
    assert figures(1.0)["loss"] == pytest.approx(half["parent"], rel=1e-6)
    assert half["parent"] > 0


def test_an_untrained_adapter_changes_nothing() -> None:
    model, sample = _model(), join(_samples())
    adapter = LoRAParameters(model.geometry, LoRA(rank=4), seed=3)
    learner = Learner(Root(model), RouterRecord(model), WholeStep(adapter.layer))
    torch.testing.assert_close(
        learner.hidden(sample), learner.hidden(sample, without_adapter=True), rtol=1e-6, atol=1e-6
    )


def test_an_adapters_parameters_are_counted() -> None:
    g = Geometry(**GEOMETRY)  # D 32, H d 32, N d 16, F 48, E 4, two layers
    attention = 4 * (32 + 32) * 2 + 4 * (16 + 32) * 2
    experts = 4 * 4 * ((48 + 32) * 2 + (32 + 48))
    assert lora_parameters(g, LoRA(rank=4)) == 2 * (attention + experts)
    assert lora_parameters(g, LoRA(rank=4, experts=False)) == 2 * attention
    assert lora_parameters(g, LoRA(rank=4, attention=False)) == 2 * experts


def test_counts_add_up() -> None:
    samples = _samples()
    whole = count(samples)
    assert sum((count([sample]) for sample in samples), Counts(0, 0, 0)) == whole
    assert whole.rows == sum(len(sample.tokens_T) for sample in samples)


def test_the_first_loss_of_a_new_model_is_that_of_knowing_nothing() -> None:
    loss, _ = _gradients(_model(7), _samples(), micro_batch=8)
    assert loss == pytest.approx(math.log(260), rel=0.02)


def test_the_first_loss_of_a_run_is_that_of_its_model(tmp_path: Path) -> None:
    save_data(tmp_path, "pretrain")
    recipe = tiny_recipe(tmp_path, changes=["schedule.steps=1"])
    run = assemble(recipe, Places(None, tmp_path / "tokenizer"), tmp_path / "run", SilentProgress())
    ended = run.train()
    assert ended.figures is not None
    assert ended.figures["lm"] == pytest.approx(math.log(260), rel=0.05)
