"""The definition against an independent implementation, and against itself in steps."""

from pathlib import Path

import pytest
import torch

from ostro.engine.session import Session
from ostro.kernels.dispatch import torch_kernels
from ostro.model import Mixtral
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model
from tiny import tiny_transformers_model

KINDS = {
    "mixtral": {},
    "mixtral-tied": {"tie_word_embeddings": True},
    "mistral-window": {"sliding_window": 24},
    "mistral": {"sliding_window": None},
    "llama": {},
}
TOKENS = torch.randint(0, 160, (101,), generator=torch.Generator().manual_seed(1)).tolist()


def _pair(kind: str, folder: Path, dtype: torch.dtype = torch.float32, **changes):
    reference = tiny_transformers_model(kind.split("-")[0], **KINDS[kind], **changes).to(dtype)
    reference.save_pretrained(folder)
    checkpoint = open_checkpoint(folder)
    model = load_model(
        checkpoint,
        torch_kernels(),
        dtype=dtype,
        device=torch.device("cpu"),
        progress=SilentProgress(),
    )
    return reference, model


def _reference_logits(reference) -> torch.Tensor:
    with torch.no_grad():
        return reference(torch.tensor([TOKENS])).logits[0].float()


def _relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return ((actual - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("kind", KINDS)
def test_logits_agree_with_transformers_in_float32(kind: str, tmp_path: Path) -> None:
    reference, model = _pair(kind, tmp_path)
    logits = Session(model, 128).feed(TOKENS, all_logits=True)
    assert _relative(logits, _reference_logits(reference)) < 1e-5


@pytest.mark.parametrize("kind", ["mixtral", "mistral-window", "llama"])
def test_logits_agree_with_transformers_in_bfloat16(kind: str, tmp_path: Path) -> None:
    # Weights of the usual initial size: large random ones amplify every rounding.
    reference, model = _pair(kind, tmp_path, torch.bfloat16, initializer_range=0.02)
    logits = Session(model, 128).feed(TOKENS, all_logits=True)
    expected = _reference_logits(reference)
    error = (logits - expected).norm(dim=-1) / expected.norm(dim=-1)
    # Tokens whose router is at a near tie may go to another expert; most must simply be close.
    assert error.median() < 1e-2
    assert error.quantile(0.9) < 2e-2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 7, 33])
def test_reading_in_steps_equals_one_pass(kind: str, chunk: int, tmp_path: Path) -> None:
    _, model = _pair(kind, tmp_path)
    whole = Session(model, 128).feed(TOKENS, all_logits=True)
    steps = Session(model, 128, chunk=chunk).feed(TOKENS, all_logits=True)
    assert _relative(steps, whole) < 1e-5


def test_router_chooses_the_same_experts_as_transformers(tmp_path: Path) -> None:
    reference, model = _pair("mixtral", tmp_path)
    chosen: list[torch.Tensor] = []

    def recording_route(x_TD, router_ED, top_k, rules):
        experts_TK, weights_TK = torch_kernels().route(x_TD, router_ED, top_k, rules)
        chosen.append(experts_TK)
        return experts_TK, weights_TK

    _record(model, recording_route)
    Session(model, 128).feed(TOKENS)
    with torch.no_grad():
        output = reference(torch.tensor([TOKENS]), output_router_logits=True)
    for ours, logits in zip(chosen, output.router_logits, strict=True):
        expected = logits.float().topk(2, dim=-1).indices
        assert torch.equal(ours, expected)


def _record(model: Mixtral, route) -> None:
    from dataclasses import replace

    for block in model.layers:
        block.feed_forward.kernels = replace(block.feed_forward.kernels, route=route)


def test_a_sparse_model_with_one_expert_is_the_dense_model(tmp_path: Path) -> None:
    _, dense = _pair("llama", tmp_path)
    from dataclasses import replace

    geometry = replace(dense.geometry, num_experts=1, top_k=1)
    sparse = Mixtral(geometry, torch_kernels(), torch.float32).requires_grad_(False)
    state = {
        name.replace("gate_up_2FD", "gate_up_E2FD").replace("down_DF", "down_EDF"): (
            value[None] if "gate_up" in name or "down_DF" in name else value
        )
        for name, value in dense.state_dict().items()
    }
    for layer in range(geometry.num_layers):
        state[f"layers.{layer}.feed_forward.router_ED"] = torch.randn(1, geometry.dim)
    sparse.load_state_dict(state)
    expected = Session(dense, 128).feed(TOKENS, all_logits=True)
    assert _relative(Session(sparse, 128).feed(TOKENS, all_logits=True), expected) < 1e-6
