"""Routers that begin by telling kinds of text apart."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ostro.config.recipe import parse_recipe
from ostro.data.batch import Sample, sequence_sample
from ostro.data.prepare import prepare
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.training.balanced_clusters import balanced_clusters
from ostro.training.beginning import Places
from ostro.training.export import export_adapter
from ostro.training.router_start import classifier, clustered_routers
from ostro.training.run import Run
from ostro.weights.adapters import read_adapter
from ostro.weights.tokenizer_files import TokenizerFiles
from tiny import save_tiny
from tiny_chat import VOCAB_SIZE, save_tokenizer
from tiny_runs import tiny_run

CPU = torch.device("cpu")
CLUSTERS = ["model.experts=4", 'model.routers="clusters"', "lora.rank=4", "lora.router=true"]
KINDS = ("aeiou", "0123456789", "+-*/=", "QXZJK")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A dense model, and documents of four kinds that share no letter."""
    folder = save_tiny(tmp_path / "dense", "mistral", vocab_size=VOCAB_SIZE, sliding_window=None)
    save_tokenizer(folder)
    generator = torch.Generator().manual_seed(0)
    texts = []
    for number in range(64):
        letters = KINDS[number % 4]
        drawn = torch.randint(len(letters), (60,), generator=generator).tolist()
        texts.append("".join(letters[place] for place in drawn))
    source = tmp_path / "documents.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    prepare(
        [source],
        tmp_path / "data",
        kind="documents",
        tokenizer=TokenizerFiles.beside(folder).tokenizer(None),
        validation=0.0,
        progress=SilentProgress(),
    )
    return Places(folder, folder)


def _routers(run: Run) -> list[Tensor]:
    return [
        block.feed_forward.get_parameter("router_ED").detach()
        for block in run.learner.model.blocks()
    ]


def test_clusters_are_of_equal_size_and_find_what_is_there() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(4, 16, generator=generator)
    labels = torch.arange(80) % 4
    points = centres[labels] + 0.3 * torch.randn(80, 16, generator=generator)
    found = balanced_clusters(points, 4, seed=0)
    assert found.bincount().tolist() == [20] * 4
    for kind in range(4):
        assert len(set(found[labels == kind].tolist())) == 1
    assert torch.equal(found, balanced_clusters(points, 4, seed=0))


def test_a_frequent_kind_is_divided() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(2, 8)
    labels = (torch.arange(90) < 80).long()
    points = centres[labels] + 0.05 * torch.randn(90, 8, generator=generator)
    sizes = balanced_clusters(points, 3, seed=0).bincount(minlength=3)
    assert sizes.max() <= 36
    assert sizes.min() >= 24


def test_a_classifier_tells_rows_apart_whatever_their_size() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    rows = torch.randn(4, 16, generator=generator)[labels] * 2
    rows = rows + torch.randn(400, 16, generator=generator)
    weight = classifier(rows, labels, 4)
    assert ((rows @ weight.T).argmax(1) == labels).float().mean() > 0.9
    torch.testing.assert_close(
        classifier(100 * rows, labels, 4) * 100, weight, rtol=1e-2, atol=1e-3
    )


def test_each_kind_of_text_meets_an_expert_of_its_own(tmp_path: Path, places: Places) -> None:
    run = tiny_run(tmp_path, changes=CLUSTERS, places=places)
    record = run.learner.record
    tokenizer = TokenizerFiles.beside(places.tokenizer).tokenizer(None)
    favourites: list[set[int]] = [set() for _ in _routers(run)]
    for letters in KINDS:
        ids = torch.tensor(tokenizer.encode(letters * 4)).numpy()
        sample = sequence_sample(ids, torch.ones(len(ids)).bool().numpy(), len(ids) - 1, 0)
        record.start()
        run.learner.hidden(sample)
        for layer, routing in enumerate(record.layers):
            counts = routing.experts_TK[:, 0].bincount(minlength=4)
            assert counts.max() > 0.8 * counts.sum(), (letters, layer)
            favourites[layer].add(int(counts.argmax()))
    assert favourites == [{0, 1, 2, 3}] * len(favourites)


def test_a_run_begins_and_goes_on_with_them(tmp_path: Path, places: Places) -> None:
    changes = [*CLUSTERS, "schedule.steps=8"]
    whole = tiny_run(tmp_path, "whole", changes=changes, places=places)
    begun = [router.clone() for router in _routers(whole)]
    again = tiny_run(tmp_path, "again", changes=changes, places=places)
    assert all(map(torch.equal, begun, _routers(again)))
    whole.train()
    assert not any(map(torch.equal, begun, _routers(whole)))
    resumed = tiny_run(tmp_path, "whole", changes=changes, places=places)
    assert all(map(torch.equal, _routers(resumed), _routers(whole)))
    export_adapter(tmp_path / "whole", tmp_path / "adapter", step=None, places=lambda _: places)
    stored = read_adapter(tmp_path / "adapter", whole.learner.model.geometry).routers
    assert all(map(torch.equal, stored, _routers(whole)))


def test_all_weights_may_be_trained_from_them(tmp_path: Path, places: Places) -> None:
    run = tiny_run(tmp_path, changes=CLUSTERS[:2], places=places)
    begun = [router.clone() for router in _routers(run)]
    run.train()
    assert not any(map(torch.equal, begun, _routers(run)))


def test_the_model_is_as_before_when_texts_are_read(tmp_path: Path, places: Places) -> None:
    run = tiny_run(tmp_path, changes=["model.experts=4"], places=places)
    model = run.learner.model
    texts = [_sample(number) for number in range(8)]
    before, kernels = run.learner.hidden(texts[0]), [b.feed_forward.kernels for b in model.blocks()]
    clustered_routers(model, texts, CPU, 0, SilentProgress())
    assert torch.equal(run.learner.hidden(texts[0]), before)
    assert [b.feed_forward.kernels for b in model.blocks()] == kernels


def _sample(number: int, length: int = 24) -> Sample:
    ids = torch.randint(
        10, VOCAB_SIZE, (length + 1,), generator=torch.Generator().manual_seed(number)
    ).numpy()
    return sequence_sample(ids, torch.ones(length + 1).bool().numpy(), length, number)


@pytest.mark.parametrize("texts", [[], [(0, 24), (1, 24), (2, 24)], [(n, 15) for n in range(9)]])
def test_too_few_texts_are_an_error(
    texts: list[tuple[int, int]], tmp_path: Path, places: Places
) -> None:
    model = tiny_run(tmp_path, changes=["model.experts=4"], places=places).learner.model
    samples = [_sample(number, length) for number, length in texts]
    with pytest.raises(OstroError, match="4 experts need as many texts of at least 16 tokens"):
        clustered_routers(model, samples, CPU, 0, SilentProgress())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.experts=0"], "is for upcycling; set experts"),
        (['lora.path="a"'], "those of the adapter"),
        (["lora.router=false"], "needs lora.router"),
        (['model.routers="best"'], "routers must be one of 'random', 'clusters'"),
    ],
)
def test_a_recipe_that_makes_no_sense_of_them_is_refused(changes: list[str], message: str) -> None:
    values = {
        "model": {"path": "x"},
        "data": {"folder": "x"},
        "optimizer": {"lr": 1e-3},
        "schedule": {"steps": 1},
    }
    with pytest.raises(OstroError, match=message):
        parse_recipe(values, "pretrain", "test", [*CLUSTERS, *changes])
