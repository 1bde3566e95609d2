"""New weights: their sizes, and that a mixture begins as large as a dense block."""

import math

import pytest
import torch

from ostro.config import Geometry
from ostro.training.initial_weights import new_model

DENSE = Geometry(
    vocab_size=512,
    dim=128,
    num_layers=1,
    num_heads=4,
    num_kv_heads=2,
    head_dim=32,
    ffn_dim=512,
    context_length=64,
    tied_embeddings=False,
)


def _geometry(experts: int = 0, top_k: int = 0) -> Geometry:
    if not experts:
        return DENSE
    changes = {"num_experts": experts, "top_k": top_k, "ffn_dim": DENSE.ffn_dim // top_k}
    return Geometry(**vars(DENSE) | changes)


def _output_size(geometry: Geometry, rows: torch.Tensor) -> float:
    (layer,) = new_model(geometry, 3).blocks()
    block = layer.feed_forward
    return float(block(rows, 0).pow(2).mean().sqrt())


@pytest.mark.parametrize(("experts", "top_k"), [(8, 2), (4, 1), (8, 4)])
def test_a_mixture_begins_as_large_as_a_dense_block_of_its_active_width(experts, top_k) -> None:
    rows = torch.randn(500, DENSE.dim, generator=torch.Generator().manual_seed(0))
    dense, mixture = (_output_size(g, rows) for g in (_geometry(), _geometry(experts, top_k)))
    # Cutting takes 1 % off each matrix, and weights that are not quite alike add a little.
    assert mixture == pytest.approx(dense, rel=0.05)


def test_matrices_have_the_deviation_of_their_inputs() -> None:
    weights = dict(new_model(_geometry(8, 2), 0).named_parameters())
    found = {name: float(weight.std()) for name, weight in weights.items() if weight.dim() > 1}
    layer = "layers.0."
    assert found["embedding_VD"] == pytest.approx(0.02, rel=0.03)
    assert found["head_VD"] == pytest.approx(0.02, rel=0.03)
    assert found[f"{layer}feed_forward.router_ED"] == pytest.approx(0.02, rel=0.1)
    assert found[f"{layer}attention.query"] == pytest.approx(1 / math.sqrt(128), rel=0.03)
    assert found[f"{layer}feed_forward.gate_up_E2FD"] == pytest.approx(1 / math.sqrt(128), rel=0.03)
    assert found[f"{layer}feed_forward.down_EDF"] == pytest.approx(2 / math.sqrt(512), rel=0.03)
    for name, weight in weights.items():
        if weight.dim() == 1:
            assert bool((weight == 1).all()), name
        else:  # The cut makes the deviation 1.4 % smaller than what it is cut at.
            assert float(weight.abs().max()) <= 3.2 * found[name], name


def test_a_seed_says_which() -> None:
    first, again, other = (new_model(DENSE, seed).embedding_VD for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
