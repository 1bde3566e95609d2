"""Pages found again by their tokens, shared, and evicted when they are wanted elsewhere."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostro.engine.pages import PagePool, pages_for
from ostro.engine.prefix_tree import PrefixTree
from ostro.model import PAGE_SLOTS

S = PAGE_SLOTS


def tokens(length: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(1000), k=length)


class Holder:
    """Computes texts the way a sequence does: matches, takes pages, remembers them, leaves."""

    def __init__(self, size: int) -> None:
        self.pool = PagePool(size)
        self.tree = PrefixTree(self.pool)

    def known(self, text: list[int], namespace: str | None = None) -> int:
        return self.tree.match(text, self.tree.root(namespace)).length

    def compute(self, text: list[int], namespace: str | None = None) -> list[int]:
        """The pages of a text, held by the caller."""
        node = self.tree.root(namespace)
        assert self.tree.make_room(pages_for(len(text)))
        pages = [self.pool.take() for _ in range(pages_for(len(text)))]
        for index in range(len(text) // S):
            node = self.tree.insert(node, text[index * S : (index + 1) * S], pages[index])
            self.pool.hold(node.page)
            self.pool.release((pages[index],))
            pages[index] = node.page
        if rest := text[len(text) // S * S :]:
            self.tree.insert(node, rest, pages[-1])
        return pages

    def run(self, text: list[int], namespace: str | None = None) -> None:
        self.pool.release(self.compute(text, namespace))


@pytest.mark.parametrize("length", [1, S - 1, S, S + 1, 3 * S, 3 * S + 7])
def test_a_text_is_found_up_to_its_last_token(length: int) -> None:
    holder, text = Holder(8), tokens(length)
    holder.run(text)
    assert holder.known(text) == length
    assert holder.known([*text, 5, 6]) == length
    assert holder.known(text[:-1]) == length - 1


def test_a_text_that_branches_off_is_found_up_to_there() -> None:
    holder, text = Holder(8), tokens(3 * S)
    holder.run(text)
    other = [*text[: S + 9], 1001, *text[S + 10 :]]
    assert holder.known(other) == S + 9
    holder.run(other)
    assert holder.known(other) == holder.known(text) == 3 * S
    assert holder.tree.num_pages == 5


def test_a_longer_page_takes_the_place_of_its_beginning() -> None:
    holder, text = Holder(8), tokens(S)
    for length in (5, 9, 7, S, 11):
        holder.run(text[:length])
        assert holder.tree.num_pages == 1
    assert holder.known(text) == S
    assert holder.pool.num_free == 7


def test_namespaces_know_nothing_of_one_another() -> None:
    holder, text = Holder(8), tokens(S)
    holder.run(text, "adapter")
    assert (holder.known(text), holder.known(text, "adapter")) == (0, S)


def test_the_text_used_longest_ago_is_forgotten_first_from_its_end() -> None:
    holder = Holder(6)
    first, second = tokens(3 * S, 1), tokens(3 * S, 2)
    holder.run(first)
    holder.run(second)
    holder.known(first)
    assert holder.tree.make_room(2)
    assert (holder.known(first), holder.known(second)) == (3 * S, S)


def test_pages_in_use_are_never_evicted() -> None:
    holder, text = Holder(6), tokens(4 * S)
    pages = holder.compute(text)
    assert not holder.tree.make_room(3)
    assert holder.tree.make_room(2)
    assert holder.known(text) == 4 * S
    holder.pool.release(pages)
    assert holder.tree.make_room(6)
    assert holder.tree.num_pages == 0


def test_clearing_frees_all_that_nobody_holds() -> None:
    holder = Holder(6)
    holder.run(tokens(3 * S))
    holder.tree.clear()
    assert (holder.pool.num_free, holder.tree.num_pages) == (6, 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 4 * S), st.booleans()), min_size=1, max_size=30
    )
)
def test_pages_are_never_lost_nor_given_twice(steps) -> None:
    """Texts share beginnings; some stay in use, some leave, and the oldest make room."""
    holder = Holder(20)
    base = tokens(4 * S)
    held: list[list[int]] = []
    for seed, length, stays in steps:
        text = [*base[: seed * S], *tokens(4 * S, seed)][:length]
        while not holder.tree.make_room(pages_for(len(text))):
            holder.pool.release(held.pop(0))
        pages = holder.compute(text)
        assert len({*pages}) == len(pages)
        own = {*pages[len(text) // S :]}
        assert not own & {page for other in held for page in other}
        if stays:
            held.append(pages)
        else:
            holder.pool.release(pages)
        assert holder.known(text) == len(text)
    for pages in held:
        holder.pool.release(pages)
    assert holder.pool.num_free + holder.tree.num_pages == 20
    assert holder.tree.make_room(20)


def test_a_namespace_that_nobody_uses_leaves_nothing_behind() -> None:
    holder = Holder(4)
    for number in range(50):
        pages = holder.compute(tokens(S + 1), namespace=f"steering {number}")
        holder.pool.release(pages)
        assert holder.known(tokens(S + 1), f"steering {number}") == S + 1
    assert len(holder.tree._roots) <= 4
