"""Keys and values that were computed before, found by the tokens they were computed from.

A node is a page of at most :data:`~ostro.model.PAGE_SLOTS` tokens; its path from the root spells
the tokens before it. Only a leaf may be a page that is not full. Keys and values depend on the
tokens up to them and on the adapter, so each adapter has a root of its own.

The tree holds its pages in the pool like a sequence does. A page that nobody else holds may be
evicted: leaves first, the one that was used longest ago before the others.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from ostro.engine.pages import PagePool
from ostro.model import PAGE_SLOTS


@dataclass(eq=False)
class Node:
    """A page and the tokens in it."""

    tokens: tuple[int, ...]
    page: int
    parent: "Node | None"
    children: dict[tuple[int, ...], "Node"] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether other pages may follow."""
        return len(self.tokens) == PAGE_SLOTS or self.parent is None


@dataclass(frozen=True)
class Match:
    """The longest known beginning of a text."""

    nodes: list[Node]
    """Whole pages, in order."""
    partial: Node | None
    """A page of which only the first tokens are wanted."""
    length: int
    """Tokens in all of these."""


class PrefixTree:
    """Pages by the tokens in them."""

    def __init__(self, pool: PagePool) -> None:
        self._pool = pool
        # A root stays for as long as pages or answers refer to it: namespaces come without end.
        self._roots: WeakValueDictionary[Hashable, Node] = WeakValueDictionary()
        # A node is touched after its children, so that the first in this order is a leaf.
        self._order: OrderedDict[Node, None] = OrderedDict()

    @property
    def num_pages(self) -> int:
        """How many pages the tree holds."""
        return len(self._order)

    @property
    def num_unused(self) -> int:
        """How many of them nobody else holds. Other threads may ask, for a figure a step old."""
        return sum(self._pool.holders(node.page) == 1 for node in list(self._order))

    def root(self, namespace: Hashable = None) -> Node:
        """Where the texts of a namespace begin."""
        return self._roots.setdefault(namespace, Node((), -1, None))

    def match(self, tokens: Sequence[int], start: Node) -> Match:
        """The longest beginning of ``tokens`` that is known to follow the node ``start``."""
        nodes: list[Node] = []
        node, at = start, 0
        while child := self.next(node, tokens, at):
            nodes.append(child)
            node, at = child, at + PAGE_SLOTS
        partial, more = _longest_common(node, tuple(tokens[at : at + PAGE_SLOTS]))
        self._touch(nodes[-1] if partial is None and nodes else partial)
        return Match(nodes, partial, at + more)

    def next(self, node: Node, tokens: Sequence[int], at: int) -> Node | None:
        """The whole page of ``tokens[at:]`` that follows ``node``, if it is known."""
        page = tuple(tokens[at : at + PAGE_SLOTS])
        return node.children.get(page) if len(page) == PAGE_SLOTS else None

    def insert(self, node: Node, tokens: Sequence[int], page: int) -> Node:
        """Remember a page of tokens after ``node``; the node that now stands for them.

        Where they are known already, that node is kept and ``page`` is not held.
        """
        key = tuple(tokens)
        known = node.children.get(key)
        if known is None and not self._is_covered(node, key):
            known = Node(key, page, node)
            self._pool.hold(page)
            self._drop_beginnings(node, key)
            node.children[key] = known
            self._order[known] = None
        self._touch(known)
        return known or node

    def make_room(self, count: int) -> bool:
        """Evict until ``count`` pages are free; False (and nothing evicted) if that can't be."""
        # A sequence holds every page from the root on, so what nobody else holds has no child that
        # somebody holds, and can go.
        if self._pool.num_free < count and self._pool.num_free + self.num_unused < count:
            return False
        while self._pool.num_free < count:
            self._drop(next(node for node in self._order if self._is_evictable(node)))
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._pool.release(node.page for node in self._order)
        self._order.clear()
        self._roots.clear()

    def _is_evictable(self, node: Node) -> bool:
        return not node.children and self._pool.holders(node.page) == 1

    def _drop(self, node: Node) -> None:
        assert node.parent is not None
        del node.parent.children[node.tokens]
        del self._order[node]
        self._pool.release((node.page,))

    def _drop_beginnings(self, node: Node, key: tuple[int, ...]) -> None:
        """A shorter page with the same beginning is of no use beside the longer one."""
        shorter = [
            child for child in node.children.values() if child.tokens == key[: len(child.tokens)]
        ]
        for child in shorter:
            self._drop(child)

    def _is_covered(self, node: Node, key: tuple[int, ...]) -> bool:
        return any(child.tokens[: len(key)] == key for child in node.children.values())

    def _touch(self, node: Node | None) -> None:
        while node is not None and node.parent is not None:
            self._order.move_to_end(node)
            node = node.parent


def _longest_common(node: Node, tokens: tuple[int, ...]) -> tuple[Node | None, int]:
    """The child that shares most of its first tokens with ``tokens``, and how many."""
    best, most = None, 0
    for child in node.children.values():
        count = 0
        for ours, theirs in zip(tokens, child.tokens, strict=False):
            if ours != theirs:
                break
            count += 1
        if count > most:
            best, most = child, count
    return best, most
