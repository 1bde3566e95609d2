"""Geometries: what makes no sense is refused by name."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from ostro.config import PRESETS, Geometry
from ostro.errors import OstroError

MIXTRAL = PRESETS["mixtral-8x7b"]
MISTRAL = PRESETS["mistral-7b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 0}, "dim must be a whole number of 1 or more, not 0"),
        ({"vocab_size": -5}, "vocab_size"),
        ({"num_layers": 2.0}, "num_layers must be a whole number"),
        ({"num_layers": True}, "num_layers must be a whole number"),
        ({"ffn_dim": "14336"}, "ffn_dim must be a whole number"),
        ({"num_kv_heads": 3}, r"num_heads \(32\) must be a multiple of num_kv_heads \(3\)"),
        ({"head_dim": 127}, "head_dim must be even"),
        ({"top_k": 9}, r"top_k must be 1 to num_experts \(8\), not 9"),
        ({"top_k": 0}, "top_k"),
        ({"num_experts": 0}, "a dense model has no top_k"),
        ({"num_experts": -1}, "num_experts"),
        ({"sliding_window": 0}, "sliding_window must be a whole number of 1 or more"),
        ({"sliding_window": 4096.5}, "sliding_window"),
        ({"norm_eps": 0.0}, "norm_eps must be above 0"),
        ({"norm_eps": "1e-5"}, "norm_eps must be above 0"),
        ({"rope_theta": float("inf")}, "rope_theta must be above 0 and finite"),
        ({"rope_theta": float("nan")}, "rope_theta"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OstroError, match=message):
        replace(MIXTRAL, **changes)


def test_widths_of_all_heads() -> None:
    assert (MIXTRAL.query_dim, MIXTRAL.kv_dim) == (4096, 1024)
    assert (PRESETS["demo"].query_dim, PRESETS["demo"].kv_dim) == (576, 192)


def test_sparse_and_dense() -> None:
    sparse = {name for name, geometry in PRESETS.items() if geometry.is_sparse}
    assert sparse == {"mixtral-8x7b", "mixtral-8x22b", "demo"}
    assert MISTRAL.sliding_window == 4096
    assert MIXTRAL.sliding_window is None


def test_presets_and_geometries_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        MIXTRAL.dim = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        PRESETS["mine"] = MIXTRAL  # type: ignore[index]


def test_fields_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Geometry(32_000, 4096)  # type: ignore[call-arg, misc]
