"""The definition as training calls it: whole sequences, rows before the head, routers on record."""

from pathlib import Path

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from ostro.engine.session import Session
from ostro.kernels.dispatch import torch_kernels, training_kernels
from ostro.model import Mixtral, Pack, RouterRecord
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model
from tiny import save_tiny, tiny_transformers_model

LENGTHS = [40, 1, 23]
TOKENS = torch.randint(0, 160, (sum(LENGTHS),), generator=torch.Generator().manual_seed(1))
POSITIONS = torch.cat([torch.arange(length) for length in LENGTHS])
KINDS = {"mixtral": {}, "mixtral-tied": {"tie_word_embeddings": True}, "llama": {}}


def _model(folder: Path, kernels=None) -> Mixtral:
    model = load_model(
        open_checkpoint(folder),
        kernels or training_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=SilentProgress(),
    )
    return model.requires_grad_()


def _logits(model: Mixtral, lengths=LENGTHS) -> torch.Tensor:
    pack = Pack(model.kernels, lengths, model.geometry.sliding_window)
    return model.hidden(TOKENS, POSITIONS, pack) @ model.head().T


@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences_have_the_logits_that_they_have_alone(kind: str, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model", kind.split("-")[0], **KINDS[kind])
    packed = _logits(_model(folder)).detach()
    plain = _model(folder, torch_kernels()).requires_grad_(requires_grad=False)
    for tokens, expected in zip(TOKENS.split(LENGTHS), packed.split(LENGTHS), strict=True):
        alone = Session(plain, 64).feed(tokens.tolist(), all_logits=True)
        torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-4)


def test_gradients_are_those_of_transformers(tmp_path: Path) -> None:
    reference = tiny_transformers_model("mixtral")
    reference.save_pretrained(tmp_path / "model")
    model = _model(tmp_path / "model")
    weights = torch.linspace(-1, 1, 40 * 160).view(40, 160)
    (_logits(model)[:40] * weights).sum().backward()
    (reference(TOKENS[None, :40]).logits[0] * weights).sum().backward()
    theirs = dict(reference.named_parameters())
    pairs = {
        "embedding_VD": "model.embed_tokens.weight",
        "head_VD": "lm_head.weight",
        "layers.1.feed_forward.router_ED": "model.layers.1.mlp.gate.weight",
        "layers.0.feed_forward.gate_up_E2FD": "model.layers.0.mlp.experts.gate_up_proj",
        "layers.0.feed_forward.down_EDF": "model.layers.0.mlp.experts.down_proj",
        "layers.2.attention.query": "model.layers.2.self_attn.q_proj.weight",
    }
    for mine, their in pairs.items():
        got, expected = model.get_parameter(mine).grad, theirs[their].grad
        assert got is not None
        assert expected is not None
        assert ((got - expected).norm() / expected.norm()).item() < 1e-5, mine


def test_routers_write_down_what_the_rows_met(tmp_path: Path) -> None:
    model = _model(save_tiny(tmp_path / "model"))
    before = _logits(model).detach()
    record = RouterRecord(model)
    assert torch.equal(_logits(model), before)
    assert [layer.logits_TE.shape for layer in record.layers] == [(len(TOKENS), 8)] * 3
    for layer in record.layers:
        assert torch.equal(layer.experts_TK, layer.logits_TE.topk(2).indices)
    sum(layer.logits_TE.square().sum() for layer in record.layers).backward()
    for block in model.blocks():
        gradient = block.feed_forward.router_ED.grad
        assert gradient is not None
        assert gradient.abs().sum() > 0


def test_a_layer_computed_again_is_written_down_once(tmp_path: Path) -> None:
    model = _model(save_tiny(tmp_path / "model"))
    record = RouterRecord(model)
    calls = [0]
    for block in model.blocks():
        forward = block.forward

        def counted(*inputs, forward=forward):
            calls[0] += 1
            return forward(*inputs)

        def twice(*inputs, counted=counted):
            return checkpoint(counted, *inputs, use_reentrant=False)

        block.forward = twice
    logits = _logits(model)
    first = [layer.logits_TE for layer in record.layers]
    logits.sum().backward()
    assert calls == [6]
    assert all(a is b.logits_TE for a, b in zip(first, record.layers, strict=True))
    record.start()
    assert list(record.layers) == []
