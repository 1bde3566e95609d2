"""LoRA and QLoRA: training an adapter, exporting it, serving it, merging it."""

import math
from pathlib import Path

import pytest
import torch

from ostro.config import WEIGHT_TYPES
from ostro.config.recipe import LoRA
from ostro.data.batch import Sample, join, sequence_sample
from ostro.engine.load import load
from ostro.errors import OstroError
from ostro.kernels.dispatch import training_kernels
from ostro.kernels.experts import mix_experts
from ostro.kernels.grouped_experts import mix_experts_grouped
from ostro.kernels.lora import ExpertLowRank, LowRank
from ostro.model import Mixtral, RouterRecord, WholeStep
from ostro.runtime.progress import SilentProgress
from ostro.training.beginning import Places
from ostro.training.export import export, export_adapter
from ostro.training.log import read_log
from ostro.training.lora import LoRAParameters
from ostro.training.quantised_base import quantised_model
from ostro.training.reference import answer_logprobs
from ostro.training.run import Run
from ostro.training.task import Learner, Root
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model
from tiny import save_gguf
from tiny_chat import save_babbler
from tiny_runs import die_in_step, save_data, tiny_run

CPU = torch.device("cpu")
LORA = ["lora.rank=4", "lora.alpha=8", "optimizer.lr=1e-2", "optimizer.weight_decay=0"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A mixture with the tokenizer that the data are prepared with."""
    return save_babbler(tmp_path / "tokenizer", num_local_experts=4, initializer_range=0.05)


@pytest.fixture
def quantised(base: Path, tmp_path: Path) -> Path:
    return save_gguf(tmp_path / "base.gguf", base, "Q8_0")


def _adapter_run(
    folder: Path, base: Path, out: str = "run", task: str = "sft", changes: list[str] = LORA
) -> Run:
    if not (folder / "data").exists():
        save_data(folder, task)
    return tiny_run(folder, out, task, changes, Places(base, base))


def test_grouped_adapters_are_the_twins() -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    x, gate_up, down = random(29, 16), random(4, 48, 16), random(4, 16, 24)
    experts = torch.stack([torch.randperm(4, generator=generator)[:2] for _ in range(29)])
    weights = torch.rand(29, 2, generator=generator, dtype=torch.float64)
    leaves = [random(*shape) for shape in [(4, 3, 16), (4, 24, 3), (4, 3, 24), (4, 16, 3)]]
    a_gate, b_gate, a_down, b_down = leaves
    adapters = [
        ExpertLowRank(LowRank(a_gate[e], b_gate[e], 0.5), None, LowRank(a_down[e], b_down[e], 2.0))
        for e in range(4)
    ]
    results = []
    for mix in (mix_experts, mix_experts_grouped):
        y = mix(x, experts, weights, gate_up, down, adapters)
        loss = (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum()
        results.append([y, *torch.autograd.grad(loss, [x, *leaves])])
    for got, expected in zip(*results, strict=True):
        # The twin adds in float32, whose rounding of a small element is that of the large ones.
        assert (got - expected).norm() / expected.norm() < 1e-5


@pytest.mark.parametrize("task", ["sft", "dpo"])
def test_an_adapter_learns_and_the_weights_stay(task: str, base: Path, tmp_path: Path) -> None:
    run = _adapter_run(tmp_path, base, task=task, changes=[*LORA, "schedule.steps=20"])
    assert all(name.startswith("adapter.") for name in run.weights)
    before = {n: p.clone() for n, p in run.learner.model.named_parameters()}
    first = {name: weight.detach().clone() for name, weight in run.weights.items()}
    run.train()
    assert all(torch.equal(p, before[n]) for n, p in run.learner.model.named_parameters())
    changed = {name for name, weight in run.weights.items() if not torch.equal(weight, first[name])}
    assert changed == set(run.weights)


def test_the_adapter_switched_off_is_the_stored_reference(base: Path, tmp_path: Path) -> None:
    changes = [*LORA, "schedule.steps=6", "router.balance=0"]
    stored = _adapter_run(tmp_path, base, "stored", "dpo", changes).train()
    off = _adapter_run(
        tmp_path, base, "off", "dpo", [*changes, "preference.reference=adapter_off"]
    ).train()
    assert stored.figures is not None
    assert off.figures is not None
    assert off.figures["loss"] == pytest.approx(stored.figures["loss"], rel=1e-5)


@pytest.mark.parametrize("kind", ["dense", "quantised"])
def test_a_run_with_an_adapter_goes_on_bit_for_bit(
    kind: str, base: Path, quantised: Path, tmp_path: Path
) -> None:
    path = base if kind == "dense" else quantised
    extra = ["lora.quantised=true"] if kind == "quantised" else []
    whole = _adapter_run(tmp_path, path, "whole", changes=[*LORA, *extra])
    whole.train()
    first = _adapter_run(tmp_path, path, "parts", changes=[*LORA, *extra])
    die_in_step(first, 6)
    with pytest.raises(MemoryError):
        first.train()
    second = _adapter_run(tmp_path, path, "parts", changes=[*LORA, *extra])
    assert second.step == 4
    second.train()
    for name, expected in whole.weights.items():
        assert torch.equal(second.weights[name], expected), name


def test_blocks_dequantised_layer_by_layer_are_the_dense_model(quantised: Path) -> None:
    checkpoint = open_checkpoint(quantised)
    common = {"dtype": torch.float32, "device": CPU, "progress": SilentProgress()}
    dense = load_model(checkpoint, training_kernels(), **common)
    layered = quantised_model(checkpoint, training_kernels(), **common)
    held = sum(p.numel() for p in layered.parameters() if p.device.type != "meta")
    assert held < 0.5 * sum(p.numel() for p in dense.parameters())
    adapter = LoRAParameters(dense.geometry, LoRA(rank=2), 0)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    sample = join(_samples())
    results = []
    for model in (dense, layered):
        adapter.zero_grad()
        learner = Learner(Root(model), RouterRecord(model), WholeStep(adapter.layer))
        logprobs, _ = answer_logprobs(learner, sample)
        logprobs.sum().backward()
        results.append([logprobs, *(p.grad for p in adapter.parameters())])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_merging_gives_the_logits_of_the_adapter_on_the_dequantised_base(
    quantised: Path, tmp_path: Path
) -> None:
    run = _adapter_run(tmp_path, quantised, changes=[*LORA, "lora.quantised=true"])
    run.train()
    merged = _load_plain(_merge(tmp_path, Places(quantised, quantised)))
    sample = join(_samples())
    own = run.learner.hidden(sample) @ run.learner.model.head().T
    learner = Learner(Root(merged), RouterRecord(merged))
    torch.testing.assert_close(learner.hidden(sample) @ merged.head().T, own, rtol=1e-4, atol=1e-4)


def test_an_exported_adapter_is_read_and_served_without_merging(base: Path, tmp_path: Path) -> None:
    run = _adapter_run(tmp_path, base, changes=[*LORA, "schedule.steps=20"])
    run.train()
    geometry = run.learner.model.geometry
    export_adapter(
        tmp_path / "run", tmp_path / "adapter", step=None, places=lambda _: Places(base, base)
    )
    adapter = read_adapter(tmp_path / "adapter", geometry)
    assert adapter.parameters == sum(weight.numel() for weight in run.weights.values())
    llm = load(base, dtype="float32", progress=SilentProgress())
    llm.add_adapter(tmp_path / "adapter", "trained")
    prompt = "the cat sat"
    plain = llm.generate(prompt, max_tokens=12).text
    adapted = llm.generate(prompt, max_tokens=12, adapter="trained").text
    assert adapted != plain
    merged = load(_merge(tmp_path, Places(base, base)), dtype="float32", progress=SilentProgress())
    assert merged.generate(prompt, max_tokens=12).text == adapted


ROUTED = [*LORA, "lora.router=true", "router.balance=0.01"]


def test_routers_learn_beside_the_adapter_and_go_on_bit_for_bit(base: Path, tmp_path: Path) -> None:
    whole = _adapter_run(tmp_path, base, "whole", changes=ROUTED)
    before = _routers(whole)
    whole.train()
    after = _routers(whole)
    assert all(not torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(router.dtype == torch.float32 for router in after)
    first = _adapter_run(tmp_path, base, "parts", changes=ROUTED)
    die_in_step(first, 6)
    with pytest.raises(MemoryError):
        first.train()
    second = _adapter_run(tmp_path, base, "parts", changes=ROUTED)
    second.train()
    for one, other in zip(after, _routers(second), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_second_run_goes_on_with_the_first_ones_adapter(
    dtype: str, base: Path, tmp_path: Path
) -> None:
    changes = [*ROUTED, f"precision.dtype={dtype}", "lora.rank=8"]
    first = _adapter_run(tmp_path, base, changes=changes)
    first.train()
    places = Places(base, base)
    export_adapter(tmp_path / "run", tmp_path / "adapter", step=None, places=lambda _: places)
    gone_on = [*changes, f"lora.path={tmp_path / 'adapter'}"]
    places = Places(base, base, adapter=tmp_path / "adapter")
    save_data(tmp_path / "dpo", "dpo")
    second = tiny_run(tmp_path / "dpo", "run", "dpo", gone_on, places)
    for name, weight in first.weights.items():
        assert torch.equal(second.weights[name], weight), name
    sample = join(_samples())
    for run in (first, second):
        run.learner.record.start()
    torch.testing.assert_close(second.learner.hidden(sample), first.learner.hidden(sample))
    # What the run began with is the reference: its first loss is ln 2.
    second.train()
    lines = read_log(tmp_path / "dpo" / "run" / "log.jsonl")
    assert lines[0]["preference"] == pytest.approx(math.log(2), abs=1e-3)
    export_adapter(tmp_path / "dpo" / "run", tmp_path / "b", step=None, places=lambda _: places)
    found = read_adapter(tmp_path / "b", second.learner.model.geometry)
    for router_ED, own_ED in zip(found.routers, _routers(second), strict=True):
        assert torch.equal(router_ED, own_ED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["lora.rank=2"], "has rank 4 and alpha 8 for query; set lora.rank and lora.alpha"),
        (["lora.alpha=16"], "has rank 4 and alpha 8 for query"),
        (["lora.experts=false"], "adapts down, gate, .* set lora.attention and lora.experts"),
    ],
)
def test_an_adapter_of_another_recipe_is_not_gone_on_with(
    changes: list[str], message: str, base: Path, tmp_path: Path
) -> None:
    _adapter_run(tmp_path, base, changes=[*LORA, "schedule.steps=1"]).train()
    places = Places(base, base)
    export_adapter(tmp_path / "run", tmp_path / "adapter", step=None, places=lambda _: places)
    with pytest.raises(OstroError, match=message):
        tiny_run(
            tmp_path,
            "other",
            "sft",
            [*LORA, *changes, f"lora.path={tmp_path / 'adapter'}"],
            Places(base, base, adapter=tmp_path / "adapter"),
        )


def test_a_merged_export_has_the_trained_routers(base: Path, tmp_path: Path) -> None:
    run = _adapter_run(tmp_path, base, changes=ROUTED)
    run.train()
    merged = _load_plain(_merge(tmp_path, Places(base, base)))
    sample = join(_samples())
    learner = Learner(Root(merged), RouterRecord(merged))
    run.learner.record.start()
    torch.testing.assert_close(
        learner.hidden(sample), run.learner.hidden(sample), rtol=1e-4, atol=1e-4
    )


def _merge(folder: Path, places: Places) -> Path:
    """The last checkpoint of ``folder / "run"`` as a model, its adapter merged in."""
    target = folder / "merged"
    export(
        folder / "run",
        target,
        step=None,
        kind=WEIGHT_TYPES["F32"],
        places=lambda recipe: places,
        progress=SilentProgress(),
    )
    return target


def _load_plain(path: Path) -> Mixtral:
    return load_model(
        open_checkpoint(path),
        training_kernels(),
        dtype=torch.float32,
        device=CPU,
        progress=SilentProgress(),
    )


def _routers(run: Run) -> list[torch.Tensor]:
    named = run.learner.model.named_parameters()
    return [p.detach().clone() for name, p in named if name.endswith("router_ED")]


def test_a_run_without_an_adapter_has_none_to_export(base: Path, tmp_path: Path) -> None:
    save_data(tmp_path, "sft")
    run = tiny_run(tmp_path, "run", "sft", ["schedule.steps=1"], Places(base, base))
    run.train()
    with pytest.raises(OstroError, match="trained the weights themselves"):
        export_adapter(
            tmp_path / "run",
            tmp_path / "adapter",
            step=None,
            places=lambda _: Places(base, base),
        )


def _samples() -> list[Sample]:
    generator = torch.Generator().manual_seed(2)
    found = []
    for number, length in enumerate((20, 7, 13)):
        ids = torch.randint(0, 256, (length,), generator=generator).numpy()
        found.append(sequence_sample(ids, torch.arange(length).numpy() >= 3, length, number))
    return found
