"""Guesses from what stood before."""

from hypothesis import given
from hypothesis import strategies as st

from ostro.engine.lookup import LONGEST_MATCH, PromptLookup


def lookup(tokens: list[int]) -> PromptLookup:
    found = PromptLookup(tokens)
    found.update()
    return found


def test_what_followed_the_same_tokens_is_guessed() -> None:
    found = lookup([1, 2, 3, 4, 5, 9, 2, 3])
    assert (found.match, found.guess(3)) == (2, [4, 5, 9])


def test_the_latest_place_counts() -> None:
    assert lookup([1, 2, 3, 7, 1, 2, 4, 7, 1, 2]).guess(1) == [4]


def test_what_is_new_is_not_guessed() -> None:
    for tokens in ([], [1], [1, 2], [1, 2, 3, 4]):
        assert (lookup(tokens).match, lookup(tokens).guess(3)) == (0, [])


def test_a_guess_that_reaches_the_end_goes_on_repeating() -> None:
    assert lookup([5, 1, 2, 3, 1, 2]).guess(7) == [3, 1, 2, 3, 1, 2, 3]
    assert lookup([4, 4, 4]).guess(3) == [4, 4, 4]


def test_longer_agreement_is_told_from_shorter() -> None:
    base = [*range(20)]
    assert lookup([*base, 50, *base[5:9]]).match == 4
    assert lookup([*base, 50, *base]).match == LONGEST_MATCH


@given(st.lists(st.integers(0, 3), max_size=60))
def test_growing_finds_what_searching_finds(tokens) -> None:
    growing: list[int] = []
    found = PromptLookup(growing)
    for token in tokens:
        growing.append(token)
        found.update()
        pair, size = growing[-2:], len(growing)
        places = [n for n in range(size - 2) if growing[n : n + 2] == pair] if size > 2 else []
        assert (found.match > 0) == bool(places)
        if places:
            assert found.guess(1) == [growing[places[-1] + 2]]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(0, 2))
def test_what_came_since_the_last_update_is_not_known(tokens, more) -> None:
    before = lookup([*tokens])
    growing = [*tokens]
    found = lookup(growing)
    growing.append(more)
    assert (found.match, found.guess(50)) == (before.match, before.guess(50))
