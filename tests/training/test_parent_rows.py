"""A parent that reads the model's conversations in its own chat template."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ostro.config import Geometry, count_parameters
from ostro.config.recipe import Distillation, Router
from ostro.data.batch import Sample, join
from ostro.data.dataset import Dataset
from ostro.data.kinds import Kind
from ostro.data.loader import LoaderOptions, ordered_samples
from ostro.data.sequences import TokenSequence
from ostro.errors import OstroError
from ostro.model import Mixtral, RouterRecord
from ostro.runtime.progress import SilentProgress
from ostro.training.beginning import Places
from ostro.training.initial_weights import new_model
from ostro.training.language_task import LanguageTask
from ostro.training.log import read_log
from ostro.training.parent_rows import OwnTemplate, ParentRows, Rendering, SameTokens
from ostro.training.ranks import Ranks
from ostro.training.room import require_room
from ostro.training.task import Learner, Root, count, hidden_rows
from ostro.weights.checkpoint import open_checkpoint
from small_dataset import write_dataset
from tiny import save_tiny
from tiny_chat import save_tokenizer
from tiny_runs import GEOMETRY, die_in_step, save_data, tiny_recipe, tiny_run

# How two templates write a conversation's beginning, and what stands around a question.
INST = ([256], [91, 73], [93])
CHATML = ([256, 258, 115, 259], [258, 117, 10], [259, 10, 258, 97, 10])
# Questions and answers, in tokens, of each turn of four conversations.
TURNS = [[(5, 4)], [(2, 1), (7, 6), (1, 9)], [(9, 12)], [(3, 2), (4, 5)]]
INST_TEMPLATE = """\
{{ bos_token }}
{%- for message in messages %}
{%- if message.role == 'user' %}{{- '[INST] ' + message.content + ' [/INST]' }}
{%- else %}{{- message.content + eos_token }}
{%- endif %}
{%- endfor %}"""


def _rendered(
    template: tuple[list[int], list[int], list[int]], turns: Sequence[Sequence[tuple[int, int]]]
) -> list[TokenSequence]:
    """Conversations of the same random tokens in a template."""
    generator = np.random.default_rng(0)
    begin, before, after = template
    found = []
    for conversation in turns:
        ids, learned = [*begin], [False] * len(begin)
        for question, answer in conversation:
            asked = [*before, *generator.integers(256, size=question), *after]
            said = [*generator.integers(256, size=answer), 257]
            ids, learned = [*ids, *asked, *said], learned + [False] * len(asked)
            learned += [True] * len(said)
        found.append(TokenSequence(np.asarray(ids, np.int64), np.asarray(learned)))
    return found


def _write(
    folder: Path, sequences: list[TokenSequence], kind: Kind = "conversations", vocab: int = 260
) -> Rendering:
    return Rendering(folder, write_dataset(folder, sequences, kind, vocab_size=vocab))


@pytest.fixture
def inst(tmp_path: Path) -> Rendering:
    return _write(tmp_path / "inst", _rendered(INST, TURNS))


@pytest.fixture
def chatml(tmp_path: Path) -> Rendering:
    return _write(tmp_path / "chatml", _rendered(CHATML, TURNS))


def _model(seed: int = 0, **changes: Any) -> Mixtral:
    # The embeddings of new models are so small that they say nearly nothing.
    model = new_model(Geometry(**GEOMETRY | changes), seed).requires_grad_()
    with torch.no_grad():
        model.embedding_VD.mul_(10)
    return model


def _parent() -> Mixtral:
    return _model(1, num_experts=0, top_k=0, dim=48)


def _samples(dataset: Dataset, length: int = 200, *, packed: bool = True) -> list[Sample]:
    options = LoaderOptions(length=length, batch=1, packed=packed)
    return list(ordered_samples(dataset, options))


def _task(model: Mixtral, parent: ParentRows) -> LanguageTask:
    learner = Learner(Root(model), RouterRecord(model))
    return LanguageTask(learner, Router(), parent, Distillation(parent="p", weight=1.0))


def _loss(model: Mixtral, parent: ParentRows, samples: Sequence[Sample]) -> torch.Tensor:
    """The whole loss of these samples, which is the parent's alone; each is a micro-batch."""
    task, whole = _task(model, parent), count(samples)
    return torch.stack([task(sample, whole).loss for sample in samples]).sum()


def _logprobs(model: Mixtral, dataset: Dataset, number: int) -> torch.Tensor:
    """What a model says before each learned token of a whole sequence, ``[L, V]``."""
    ids, learned = dataset.sequence(number)
    rows = len(ids)
    tokens = torch.from_numpy(ids)
    sample = Sample(tokens, torch.arange(rows), tokens, tokens > 0, (rows,), (number,))
    logits = hidden_rows(model, sample) @ model.head().T
    return logits[torch.from_numpy(learned).nonzero().squeeze(1) - 1].log_softmax(1)


def _naive(
    model: Mixtral, parent: Mixtral, inst: Dataset, chatml: Dataset, length: int
) -> torch.Tensor:
    """The same, sequence by sequence and with all logits at once."""
    total, tokens = torch.zeros(()), 0
    for number in range(len(inst)):
        learned = int(inst.sequence(number)[1][:length].sum())
        own = _logprobs(model, inst, number)[:learned]
        theirs = _logprobs(parent, chatml, number)[:learned].detach()
        total = total + F.kl_div(own, theirs, reduction="sum", log_target=True)
        tokens += learned
    return total / tokens


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("length", [200, 30, 14])
def test_the_loss_is_the_divergence_between_rows_that_tell_the_same_token(
    length: int, packed: bool, inst: Rendering, chatml: Rendering
) -> None:
    model, parent = _model(), _parent()
    samples = _samples(inst.dataset, length, packed=packed)
    cut = [n for n, size in enumerate(inst.dataset.lengths) if size > length]
    assert {200: 0, 30: 1, 14: 3}[length] == len(cut)
    loss = _loss(model, OwnTemplate(parent, inst, chatml), samples)
    naive = _naive(model, parent, inst.dataset, chatml.dataset, length)
    assert naive > 0.1
    torch.testing.assert_close(loss, naive, rtol=1e-5, atol=0)
    names = dict(model.named_parameters())
    got = torch.autograd.grad(loss, list(names.values()))
    expected = torch.autograd.grad(naive, list(names.values()))
    for name, one, other in zip(names, got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6, msg=name)


def test_micro_batches_of_packs_add_up(inst: Rendering, chatml: Rendering) -> None:
    model, rows = _model(), OwnTemplate(_parent(), inst, chatml)
    alone = _samples(inst.dataset, 30, packed=False)
    apart = _loss(model, rows, alone)
    together = _loss(model, rows, [join(alone[::-1])])
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=0)


def test_the_same_data_are_the_same_tokens(inst: Rendering) -> None:
    model, parent = _model(), _parent()
    for length in (200, 14):
        samples = _samples(inst.dataset, length)
        same = _loss(model, SameTokens(parent), samples)
        own = _loss(model, OwnTemplate(parent, inst, inst), samples)
        torch.testing.assert_close(own, same, rtol=1e-6, atol=0)
        for sample in samples:
            torch.testing.assert_close(
                OwnTemplate(parent, inst, inst)(sample),
                SameTokens(parent)(sample),
                rtol=1e-5,
                atol=1e-5,
            )


def test_a_parent_like_the_model_teaches_nothing_but_its_template(
    inst: Rendering, chatml: Rendering
) -> None:
    model, samples = _model(), _samples(inst.dataset)
    for rows in (SameTokens(_model()), OwnTemplate(_model(), inst, inst)):
        assert _loss(model, rows, samples).item() == pytest.approx(0, abs=1e-6)
    assert _loss(model, OwnTemplate(_model(), inst, chatml), samples).item() > 0.01


@pytest.mark.parametrize("own", [True, False])
def test_the_gradient_flows_to_the_model_alone(
    own: bool, inst: Rendering, chatml: Rendering
) -> None:
    model, parent = _model(), _parent()
    rows = OwnTemplate(parent, inst, chatml) if own else SameTokens(parent)
    _loss(model, rows, _samples(inst.dataset)).backward()
    assert all(parameter.grad is None for parameter in parent.parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.norm() > 0, name


def test_a_sequence_of_which_nothing_is_learned_has_no_row(
    inst: Rendering, chatml: Rendering
) -> None:
    rows = OwnTemplate(_parent(), inst, chatml)
    first, second, *_ = _samples(inst.dataset, packed=False)
    silent = Sample(
        second.tokens_T,
        second.positions_T,
        second.targets_T,
        torch.zeros_like(second.learned_T),
        second.lengths,
        second.numbers,
    )
    torch.testing.assert_close(rows(join([silent, first])), rows(first), rtol=1e-5, atol=1e-5)
    assert rows(silent).shape == (0, 48)


def test_data_sets_that_cannot_be_the_same_conversations_are_refused(
    inst: Rendering, tmp_path: Path
) -> None:
    def refused(name: str, turns: Any, message: str, **options: Any) -> None:
        other = _write(tmp_path / name, _rendered(CHATML, turns), **options)
        with pytest.raises(OstroError, match=message) as caught:
            OwnTemplate(_parent(), inst, other)
        assert "\n" not in str(caught.value)

    refused(
        "pairs",
        TURNS,
        r"inst has kind = conversations and .*pairs preferences; prepare both with the same --kind",
        kind="preferences",
    )
    refused("vocabulary", TURNS, r"vocab_size = 260 and .* 300; the parent's tokenizer", vocab=300)
    more = [*TURNS, [(1, 1)]]
    refused("more", more, r"sequences = 4 and .*more 5; .* the first of them, with the same --v")
    longer = [*TURNS[:3], [(3, 2), (4, 6)]]
    refused("longer", longer, r"learned_tokens = 46 and .*longer 47; .*that write answers alike")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_beyond_its_own_data_the_parent_has_no_say(
    weight: float, packed: bool, inst: Rendering, tmp_path: Path
) -> None:
    model, parent = _model(), _parent()
    part = _write(tmp_path / "part", _rendered(CHATML, TURNS[:2]))
    rows = OwnTemplate(parent, inst, part)
    assert rows.beyond == 2
    task = LanguageTask(
        Learner(Root(model), RouterRecord(model)),
        Router(),
        rows,
        Distillation(parent="p", weight=weight),
    )
    samples = _samples(inst.dataset, packed=packed)
    whole = count(samples)
    parts = [task(sample, whole) for sample in samples]
    language, divergence, told_language = (torch.zeros(()) for _ in range(3))
    for number in range(4):
        ids, learned = inst.dataset.sequence(number)
        own = _logprobs(model, inst.dataset, number)
        answers = torch.from_numpy(ids[learned])
        said = -own.gather(1, answers[:, None]).sum()
        language = language + said
        if number < 2:
            theirs = _logprobs(parent, part.dataset, number).detach()
            told_language = told_language + said
            divergence = divergence + F.kl_div(own, theirs, reduction="sum", log_target=True)
    expected = (language - weight * told_language + weight * divergence) / whole.learned
    found = torch.stack([part.loss for part in parts]).sum()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    said = sum(part.figures["lm"] for part in parts)
    torch.testing.assert_close(said, (language / whole.learned).detach(), rtol=1e-5, atol=0)
    names = dict(model.named_parameters())
    got = torch.autograd.grad(found, list(names.values()))
    wanted = torch.autograd.grad(expected, list(names.values()))
    for name, one, other in zip(names, got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6, msg=name)


def test_a_sequence_that_learns_other_tokens_is_refused_when_it_is_used(
    inst: Rendering, tmp_path: Path
) -> None:
    sequences = _rendered(CHATML, TURNS)
    sequences[2].ids[-3] += 1
    rows = OwnTemplate(_parent(), inst, _write(tmp_path / "other", sequences))
    samples = _samples(inst.dataset, packed=False)
    rows(samples[1])
    with pytest.raises(
        OstroError,
        match=r"sequence 2 of .*inst and of .*other learn different .*from the same file",
    ):
        rows(samples[2])


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Data for the model in one template, and in ``parents`` those of a parent in another."""
    (tmp_path / "tokenizer").mkdir()
    save_tokenizer(tmp_path / "tokenizer", template=INST_TEMPLATE)
    save_data(tmp_path, "sft")
    save_data(tmp_path / "parents", "sft")
    parent = save_tiny(tmp_path / "parent", "llama", vocab_size=260)
    return Places(None, tmp_path / "tokenizer", parent)


def _changes(folder: Path, *more: str) -> list[str]:
    return [
        f"distillation.parent={folder / 'parent'}",
        f"distillation.data={folder / 'parents' / 'data'}",
        "schedule.steps=6",
        "optimizer.lr=1e-2",
        *more,
    ]


def test_a_run_learns_from_it_and_goes_on_bit_for_bit(places: Places, tmp_path: Path) -> None:
    changes = _changes(
        tmp_path, "distillation.weight=1", "validation.every=3", "checkpoint.every=2"
    )
    whole = tiny_run(tmp_path, "whole", "sft", changes, places)
    whole.train()
    lines = read_log(tmp_path / "whole" / "log.jsonl")
    trained = [line["parent"] for line in lines if "lr" in line]
    validated = [line["validation_parent"] for line in lines if "validation_loss" in line]
    assert len(trained) == 6
    assert len(validated) == 2
    assert trained[-1] < 0.9 * trained[0]
    assert validated[1] < validated[0]
    first = tiny_run(tmp_path, "parts", "sft", changes, places)
    die_in_step(first, 4)
    with pytest.raises(MemoryError):
        first.train()
    second = tiny_run(tmp_path, "parts", "sft", changes, places)
    assert second.step == 2
    second.train()
    for name, expected in whole.weights.items():
        assert torch.equal(second.weights[name], expected), name
    with pytest.raises(OstroError, match=r"distillation.data was '.*parents/data' and is ''"):
        tiny_run(tmp_path, "parts", "sft", [*changes, 'distillation.data=""'], places)


def test_both_parts_of_the_data_must_have_their_like(places: Places, tmp_path: Path) -> None:
    save_data(tmp_path / "whole", "sft", validation=0)
    other = f"distillation.data={tmp_path / 'whole' / 'data'}"
    with pytest.raises(OstroError, match=r"has sequences = \d+ and .*train 40; prepare both from"):
        tiny_run(tmp_path, "run", "sft", _changes(tmp_path, other), places)
    (tmp_path / "parents" / "data" / "validation").rename(tmp_path / "away")
    with pytest.raises(OstroError, match="validation is no data set"):
        tiny_run(tmp_path, "run", "sft", _changes(tmp_path), places)


def test_it_is_told_of_how_many_the_parent_has_no_say(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(SilentProgress, "note", lambda self, text: told.append(text))
    changes = _changes(tmp_path, "schedule.steps=2")
    tiny_run(tmp_path, "whole", "sft", changes, places)
    assert not any("no say" in text for text in told)
    save_data(tmp_path / "first", "sft", records=30)
    part = f"distillation.data={tmp_path / 'first' / 'data'}"
    ended = tiny_run(tmp_path, "part", "sft", [*changes, part], places).train()
    assert ended.figures is not None
    assert ended.figures["parent"] > 0
    (said,) = [text for text in told if text.startswith("train: ")]
    assert re.search(r"of the last \d of \d+ sequences it has no say", said), said


def test_fine_tuning_may_have_a_parent_that_reads_the_models_tokens(
    places: Places, tmp_path: Path
) -> None:
    changes = _changes(tmp_path, 'distillation.data=""', "schedule.steps=2")
    ended = tiny_run(tmp_path, task="sft", changes=changes, places=places).train()
    assert ended.figures is not None
    assert ended.figures["parent"] > 0


def test_the_plan_of_fine_tuning_counts_the_parent(places: Places, tmp_path: Path) -> None:
    plan = require_room(tiny_recipe(tmp_path, "sft", _changes(tmp_path)), places, Ranks())
    assert places.parent is not None
    geometry = open_checkpoint(places.parent).geometry
    assert plan.parent == 4 * count_parameters(geometry).total
