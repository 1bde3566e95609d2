"""Mixes: which type each matrix gets, and that what is written is what was asked for."""

import pytest

from ostro.config import PRESETS, Geometry
from ostro.errors import OstroError
from ostro.weights.quantisation_mix import MIXES, find_mix
from ostro.weights.slots import EXACT_KINDS, Slot, slots

MIXTRAL, LLAMA_70B, DEMO = (PRESETS[name] for name in ("mixtral-8x7b", "llama-2-70b", "demo"))


def types(name: str, kind: str, geometry: Geometry = MIXTRAL) -> list[str]:
    """The types of one kind of matrix, layer by layer."""
    return [
        MIXES[name].type_of(Slot(kind, layer), geometry).name  # type: ignore[arg-type]
        for layer in range(geometry.num_layers)
    ]


@pytest.mark.parametrize("name", MIXES)
def test_beside_eight_experts_keys_and_values_keep_eight_bits(name) -> None:
    assert set(types(name, "key") + types(name, "value")) == {"Q8_0"}


@pytest.mark.parametrize("name", MIXES)
def test_the_head_gets_more_and_so_does_an_embedding_that_serves_as_one(name) -> None:
    mix, wanted = MIXES[name], "Q8_0" if name == "q8_0" else "Q6_K"
    assert mix.type_of(Slot("head"), MIXTRAL).name == wanted
    assert mix.type_of(Slot("embedding"), MIXTRAL).name == mix.base
    assert DEMO.tied_embeddings
    assert mix.type_of(Slot("embedding"), DEMO).name == wanted


def test_the_sensitive_layers_of_32() -> None:
    down = types("q4_k_m", "down")
    more = [layer for layer, name in enumerate(down) if name == "Q6_K"]
    assert more == [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]
    assert {down[layer] for layer in range(32) if layer not in more} == {"Q4_K"}


def test_three_bits_are_lifted_where_it_matters() -> None:
    assert types("q3_k_m", "down") == ["Q5_K"] * 2 + ["Q4_K"] * 30
    assert set(types("q3_k_m", "output")) == {"Q5_K"}
    assert set(types("q3_k_m", "gate") + types("q3_k_m", "query")) == {"Q3_K"}
    assert set(types("q2_k", "down")) == {"Q3_K"}


def test_values_of_a_dense_70b_keep_five_bits_at_least() -> None:
    assert set(types("q2_k", "value", LLAMA_70B)) == {"Q5_K"}
    assert set(types("q4_k_m", "value", LLAMA_70B)) == {"Q5_K", "Q6_K"}
    assert set(types("q2_k", "value", PRESETS["mistral-7b"])) == {"Q4_K"}


def test_bits_a_weight_fall_from_mix_to_mix() -> None:
    def bits(name: str) -> float:
        mix = MIXES[name]
        pairs = [
            (count_of(slot), mix.type_of(slot, MIXTRAL).bits_per_weight)
            for slot in slots(MIXTRAL)
            if slot.kind not in EXACT_KINDS
        ]
        return sum(n * each for n, each in pairs) / sum(n for n, _ in pairs)

    def count_of(slot: Slot) -> int:
        from math import prod

        from ostro.weights.slots import slot_shape

        return prod(slot_shape(MIXTRAL, slot.kind))

    order = ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k_m", "q2_k"]
    assert list(MIXES) == order
    all_bits = [bits(name) for name in order]
    assert all_bits == sorted(all_bits, reverse=True)
    # Published files of Mixtral 8x7B: 26.4 GB in q4_k_m, 22.5 in q3_k_m (5/8 GB a tenth of a bit).
    assert all_bits[3] == pytest.approx(4.9, abs=0.15)


def test_unknown_mixes_are_named() -> None:
    assert find_mix("Q4_K_M").base == "Q4_K"
    with pytest.raises(OstroError, match=r"unknown mix 'q4_k_xl'; use one of q8_0, q6_k"):
        find_mix("q4_k_xl")
