"""benchmarks/kernels.py: both sides of a comparison compute the same, and all of them run."""

import json

import pytest
import torch

import kernels
from kernel_parts import Attention, Mixture
from kernels import KERNELS, Bench
from native_library import contexts, needs_native
from ostro.config import Geometry
from probes import int8_peaks, read_bandwidth

TINY = Geometry(
    vocab_size=400,
    dim=64,
    num_layers=1,
    num_heads=2,
    num_kv_heads=1,
    head_dim=32,
    ffn_dim=96,
    num_experts=4,
    top_k=2,
    context_length=2048,
)

pytestmark = needs_native


@pytest.fixture(scope="module")
def native():
    return contexts(threads=1)["avx2"]


@pytest.mark.parametrize("kind", ["F32", "Q4_0"])
def test_mixtures_are_their_twins_and_use_their_experts_evenly(native, kind) -> None:
    mixture = Mixture(native, TINY, kind)
    x = mixture.even(8)
    found, expected = mixture.run(x) - x, mixture.twin(x) - x
    assert (found - expected).norm() / expected.norm() < 0.05
    chosen = x[:, : TINY.num_experts].topk(TINY.top_k).indices
    assert chosen.flatten().bincount().tolist() == [4, 4, 4, 4]


@pytest.mark.parametrize("cache", ["F32", "Q8_0"])
@pytest.mark.parametrize("rows", [1, 7])
def test_attention_is_its_twin(native, cache, rows) -> None:
    layer = Attention(native, TINY, "F32", cache, 40)
    x = layer.rows(rows)
    found, expected = layer.run(x) - x, layer.twin(x) - x
    assert found.shape == expected.shape == (rows, TINY.dim)
    if cache == "F32":
        layer._twin_cache = layer._cache
        expected = layer.twin(x) - x
        assert (found - expected).norm() / expected.norm() < 1e-3


@pytest.mark.parametrize("name", KERNELS)
def test_all_kernels_are_compared(native, name) -> None:
    bench = Bench(native, TINY, 1, rows=(1, 3), types=("F32", "Q4_0"), length=64)
    with torch.inference_mode():
        results = list(KERNELS[name](bench))
    assert len(results) >= 2
    assert all(result.ostro > 0 and result.peer > 0 for result in results)
    assert {result.unit for result in results} == {"us"}


def test_the_program_prints_the_common_form(monkeypatch, capsys) -> None:
    monkeypatch.setattr(kernels, "PRESETS", {"mixtral-8x7b": TINY})
    monkeypatch.setattr("sys.argv", ["kernels.py", "--only", "head", "--rounds", "1", "--json"])
    assert kernels.main() == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert names == [f"head Q4_0 {rows}" for rows in kernels.ROWS]


def test_bounds_are_measured(tmp_path) -> None:
    assert read_bandwidth(tmp_path, 1) > 1e8
    assert all(speed > 1e9 for speed in int8_peaks(tmp_path, 1).values())
