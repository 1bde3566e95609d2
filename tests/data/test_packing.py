"""Conversations in packs and pairs by themselves: nothing is lost, repeated or too long."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostro.data.batch import Sample
from ostro.data.layout import build_layout
from ostro.data.loader import Loader, LoaderOptions
from ostro.data.packing import pack
from ostro.data.sequences import TokenSequence
from ostro.errors import OstroError
from small_dataset import random_sequences, write_dataset


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 10), max_size=200), seed=st.integers(0, 3))
def test_packing_loses_and_repeats_nothing(sizes, seed) -> None:
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    packs = pack(np.array(sizes, np.int64), order, 10)
    assert sorted(number for one in packs for number in one) == list(range(len(sizes)))
    assert all(0 < sum(sizes[number] for number in one) <= 10 for one in packs)


def test_short_ones_fill_the_gaps_that_long_ones_leave() -> None:
    sizes = np.array([7, 7, 3, 2, 1, 10])
    assert pack(sizes, range(6), 10) == [[0, 2], [1, 3, 4], [5]]


def test_a_bounded_number_of_packs_is_open() -> None:
    sizes = np.array([6] * 40 + [4] * 40)
    packs = pack(sizes, range(80), 10)
    # The first eight were closed before anything fitted into them.
    assert packs[:8] == [[n] for n in range(8)]
    assert packs[8] == [8, 40]


def rows(sample: Sample) -> list[tuple[list[int], list[int], list[bool]]]:
    """Tokens, targets and what is learned of each sequence."""
    parts = (sample.tokens_T, sample.targets_T, sample.learned_T)
    split = [part.split(list(sample.lengths)) for part in parts]
    return [tuple(x.tolist() for x in part) for part in zip(*split, strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 15), min_size=1, max_size=30),
    packed=st.booleans(),
    seed=st.none() | st.integers(0, 5),
)
def test_samples_hold_whole_conversations_or_their_beginnings(
    tmp_path_factory, lengths, packed, seed
) -> None:
    sequences = random_sequences(lengths)
    dataset = write_dataset(tmp_path_factory.mktemp("data") / "set", sequences)
    layout = build_layout(dataset, 8, packed=packed, seed=seed)
    samples = [layout[number] for number in range(len(layout))]
    seen = []
    for sample in samples:
        assert len(sample.tokens_T) <= 8
        assert packed or len(sample.lengths) == 1
        for number, (tokens, targets, learned) in zip(sample.numbers, rows(sample), strict=True):
            ids, mask = sequences[number].ids[:8].tolist(), sequences[number].learned[:8].tolist()
            assert tokens == ids
            assert targets == [*ids[1:], 0]
            assert learned == [*mask[1:], False]
            seen.append(number)
    too_long = [n for n, length in enumerate(lengths) if length > 8]
    useless = [n for n in too_long if not sequences[n].learned[:8].any()]
    assert sorted(seen) == [n for n in range(len(lengths)) if n not in useless]
    assert (layout.cut, layout.dropped) == (len(too_long) - len(useless), len(useless))


def test_without_a_seed_conversations_keep_their_order(tmp_path) -> None:
    dataset = write_dataset(tmp_path / "set", random_sequences([3] * 20))
    kept = build_layout(dataset, 6)
    assert [kept[n].numbers for n in range(10)] == [(n, n + 1) for n in range(0, 20, 2)]
    shuffled = build_layout(dataset, 6, seed=1)
    assert [shuffled[n].numbers for n in range(10)] != [kept[n].numbers for n in range(10)]


def test_a_pair_is_a_sample_and_one_with_a_long_side_is_dropped(tmp_path) -> None:
    sequences = random_sequences([4, 5, 4, 9, 9, 2, 8, 8])
    layout = build_layout(write_dataset(tmp_path / "set", sequences, "preferences"), 8)
    samples = [layout[number] for number in range(len(layout))]
    assert [(s.numbers, s.lengths) for s in samples] == [((0, 1), (4, 5)), ((6, 7), (8, 8))]
    assert (layout.cut, layout.dropped) == (0, 2)
    for number, (tokens, _, learned) in zip((6, 7), rows(samples[1]), strict=True):
        assert tokens == sequences[number].ids.tolist()
        assert learned == [*sequences[number].learned[1:].tolist(), False]


def test_nothing_that_fits_is_refused(tmp_path) -> None:
    late = TokenSequence.of([1] * 9, learned_from=8)
    dataset = write_dataset(tmp_path / "set", [late])
    with pytest.raises(OstroError, match="sample of 8 tokens; use a greater length"):
        Loader(dataset, LoaderOptions(length=8, batch=1))
