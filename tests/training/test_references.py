"""Losses and gradients against transformers and trl, on the same tiny Mixtral and batch."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ostro.config.recipe import PreferenceOptions, Router
from ostro.data.batch import Sample, join, sequence_sample
from ostro.kernels.dispatch import training_kernels
from ostro.model import Mixtral, RouterRecord
from ostro.runtime.progress import SilentProgress
from ostro.training.language_task import LanguageTask
from ostro.training.preference_task import PreferenceTask
from ostro.training.reference import StoredReference, answer_logprobs
from ostro.training.task import Learner, Root, count
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model
from tiny import tiny_transformers_model
from tiny_chat import save_tokenizer

PAIRS = {
    "embedding_VD": "model.embed_tokens.weight",
    "head_VD": "lm_head.weight",
    "norm_D": "model.norm.weight",
    "layers.0.attention.key": "model.layers.0.self_attn.k_proj.weight",
    "layers.1.feed_forward.router_ED": "model.layers.1.mlp.gate.weight",
    "layers.2.feed_forward.gate_up_E2FD": "model.layers.2.mlp.experts.gate_up_proj",
    "layers.2.feed_forward.down_EDF": "model.layers.2.mlp.experts.down_proj",
}
# Prompt and answer of each sequence: lengths differ, so that means of means would be wrong.
TEXTS = [(12, 9), (3, 1), (7, 20), (5, 4)]


def _sequences() -> list[tuple[list[int], list[int]]]:
    generator = torch.Generator().manual_seed(5)
    ids = [torch.randint(0, 256, (a + b,), generator=generator).tolist() for a, b in TEXTS]
    return [(own[:a], own[a:]) for own, (a, _) in zip(ids, TEXTS, strict=True)]


def _sample(prompt: Sequence[int], answer: Sequence[int], number: int = 0) -> Sample:
    ids = torch.tensor([*prompt, *answer]).numpy()
    learned = torch.tensor([False] * len(prompt) + [True] * len(answer)).numpy()
    return sequence_sample(ids, learned, len(ids), number)


def _learner(reference: Any, folder: Path) -> Learner:
    reference.save_pretrained(folder)
    model = load_model(
        open_checkpoint(folder),
        training_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=SilentProgress(),
        mapped=False,
    ).requires_grad_()
    return Learner(Root(model), RouterRecord(model))


def _compare_gradients(model: Mixtral, reference: Any) -> None:
    theirs = dict(reference.named_parameters())
    for mine, their in PAIRS.items():
        got, expected = model.get_parameter(mine).grad, theirs[their].grad
        assert got is not None
        assert ((got - expected).norm() / expected.norm()).item() < 1e-5, mine


@pytest.fixture
def trainers(tmp_path: Path) -> Iterator[Any]:
    """trl, a tokenizer for it, and arguments for its trainers; what they warn of is theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trl = pytest.importorskip("trl")
        from transformers import PreTrainedTokenizerFast

        (tmp_path / "tokenizer").mkdir()
        save_tokenizer(tmp_path / "tokenizer")
        tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "tokenizer")
        tokenizer.pad_token = "</s>"
        common = {
            "output_dir": str(tmp_path / "trl"),
            "use_cpu": True,
            "report_to": [],
            "bf16": False,
            "per_device_train_batch_size": 4,
            "router_aux_loss_coef": 0.0,
            "gradient_checkpointing": False,
            "max_length": 128,
        }
        yield trl, tokenizer, common


def test_causal_lm_and_its_gradients_are_those_of_transformers(tmp_path: Path) -> None:
    reference = tiny_transformers_model("mixtral", vocab_size=260)
    learner = _learner(reference, tmp_path / "model")
    prompt, answer = _sequences()[0]
    ids = [*prompt, *answer]
    sample = _sample(ids[:1], ids[1:])
    part = LanguageTask(learner, Router())(sample, count([sample]))
    part.loss.backward()
    batch = torch.tensor([ids])
    expected = reference(batch, labels=batch).loss
    expected.backward()
    torch.testing.assert_close(part.loss, expected, rtol=1e-5, atol=0)
    _compare_gradients(learner.model, reference)


def test_sft_loss_and_its_gradients_are_those_of_trl(tmp_path: Path, trainers: Any) -> None:
    from datasets import Dataset

    trl, tokenizer, common = trainers
    reference = tiny_transformers_model("mixtral", vocab_size=260).train()
    learner = _learner(reference, tmp_path / "model")
    rows = [
        {"input_ids": [*prompt, *answer], "completion_mask": [0] * len(prompt) + [1] * len(answer)}
        for prompt, answer in _sequences()
    ]
    trainer = trl.SFTTrainer(
        model=reference,
        args=trl.SFTConfig(**common, completion_only_loss=True),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    assert int((batch["labels"][:, 1:] != -100).sum()) == sum(b for _, b in TEXTS)
    expected = trainer.compute_loss(reference, batch)
    expected.backward()
    samples = [_sample(*sequence) for sequence in _sequences()]
    part = LanguageTask(learner, Router())(join(samples), count(samples))
    part.loss.backward()
    torch.testing.assert_close(part.loss, expected, rtol=1e-5, atol=0)
    _compare_gradients(learner.model, reference)


@pytest.mark.parametrize("kind", ["sigmoid", "ipo"])
def test_dpo_loss_and_its_gradients_are_those_of_trl(
    kind: str, tmp_path: Path, trainers: Any
) -> None:
    from datasets import Dataset

    trl, tokenizer, common = trainers
    reference = tiny_transformers_model("mixtral", vocab_size=260).train()
    learner = _learner(reference, tmp_path / "model")
    sequences = _sequences()
    # Two pairs: the answers of two sequences to the prompt of the first of them.
    pairs = [
        (sequences[0][0], sequences[0][1], sequences[1][1]),
        (sequences[2][0], sequences[2][1], sequences[3][1]),
    ]
    references = [(-40.0, -9.0), (-100.0, -31.0)]
    rows = [
        {
            "prompt_ids": prompt,
            "chosen_ids": chosen,
            "rejected_ids": rejected,
            "ref_chosen_logps": a,
            "ref_rejected_logps": b,
        }
        for (prompt, chosen, rejected), (a, b) in zip(pairs, references, strict=True)
    ]
    trainer = trl.DPOTrainer(
        model=reference,
        ref_model=tiny_transformers_model("mixtral", vocab_size=260),
        args=trl.DPOConfig(**common, beta=0.3, loss_type=[kind]),
        train_dataset=Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}]),
        processing_class=tokenizer,
    )
    trainer.precompute_ref_logps = True  # The rows have them.
    batch = trainer.data_collator(rows)
    expected = trainer.compute_loss(reference, batch)
    expected.backward()
    samples = [
        _sample(prompt, answer, 2 * number + side)
        for number, (prompt, *answers) in enumerate(pairs)
        for side, answer in enumerate(answers)
    ]
    task = PreferenceTask(
        learner,
        Router(),
        PreferenceOptions(kind=kind, beta=0.3),
        StoredReference(torch.tensor(references).flatten()),
    )
    part = task(join(samples), count(samples))
    part.loss.backward()
    torch.testing.assert_close(part.loss, expected, rtol=1e-5, atol=0)
    _compare_gradients(learner.model, reference)


def test_log_probabilities_of_answers_are_their_tokens_alone(tmp_path: Path) -> None:
    reference = tiny_transformers_model("mixtral", vocab_size=260)
    learner = _learner(reference, tmp_path / "model")
    samples = [_sample(*sequence) for sequence in _sequences()]
    logprobs, tokens = answer_logprobs(learner, join(samples))
    assert tokens.tolist() == [answer for _, answer in TEXTS]
    for number, (prompt, answer) in enumerate(_sequences()):
        ids = torch.tensor([[*prompt, *answer]])
        all_logprobs = reference(ids).logits[0, :-1].log_softmax(-1)
        expected = all_logprobs.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum()
        torch.testing.assert_close(logprobs[number], expected, rtol=1e-5, atol=1e-4)
