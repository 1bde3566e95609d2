"""Three ways to measure perplexity over context lengths: which tokens are read, which are scored.

A length L means that L tokens are read, the beginning that the model wants (BOS) included.

- *paired*: blocks of ``targets`` tokens are scored at the end of windows of every length, so that
  all lengths score the same tokens, with more or less before them.
- *sliding*: windows of L tokens move over the longest length's worth of a document in strides, and
  each scores as many tokens at its end (Press et al., "Train Short, Test Long", 2022; Peng et al.,
  "YaRN", 2023, with strides of 256). They score the first window whole; here it scores its end too,
  since its other tokens have less before them than the length says.
- *position*: a document is read once, and its tokens are told apart by where they stand: length L
  has those beyond the next shorter length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

STRIDE = 256
"""Tokens that a window scores at its end."""


@dataclass(frozen=True)
class Window:
    """Tokens of a document that are read together, after the beginning that the model wants."""

    start: int
    end: int
    scored: tuple[tuple[int, int], ...]
    """Lengths, and how many tokens are scored for each; together they are the window's last."""


@dataclass(frozen=True)
class Pass:
    """Windows that together give the scores of some lengths of a document."""

    lengths: tuple[int, ...]
    windows: tuple[Window, ...]


class CurveProtocol(Protocol):
    """What is read and scored."""

    @property
    def name(self) -> str:
        """One word."""
        ...

    @property
    def shortest(self) -> int:
        """The least length that it can score."""
        ...

    def terms(self, lengths: Sequence[int]) -> dict[str, Any]:
        """What the score of one length depends on, beside the document."""
        ...

    def needed(self, lengths: Sequence[int]) -> int:
        """Tokens that a document must have, the beginning included."""
        ...

    def passes(self, lengths: Sequence[int], count: int, beginning: int) -> list[Pass]:
        """All that is to be read of a document of ``count`` tokens, ``beginning`` not included."""
        ...

    def words(self) -> str:
        """It, in sentences for the report."""
        ...


@dataclass(frozen=True)
class Paired:
    """The same tokens, with growing context before them."""

    targets: int = STRIDE
    """Tokens of a block."""
    blocks: int = 1
    """Blocks of a document; they do not overlap, what is before them may."""
    name: str = "paired"

    @property
    def shortest(self) -> int:
        """A block, and one token before it."""
        return self.targets + 1

    def terms(self, lengths: Sequence[int]) -> dict[str, Any]:
        """The longest length has a say in where blocks stand."""
        return {"targets": self.targets, "blocks": self.blocks, "longest": lengths[-1]}

    def needed(self, lengths: Sequence[int]) -> int:
        """Room for the longest window, and for all blocks."""
        blocks = self.targets * self.blocks
        return max(lengths[-1] + blocks - self.targets, blocks + self.targets)

    def passes(self, lengths: Sequence[int], count: int, beginning: int) -> list[Pass]:
        """For each length one window a block."""
        ends = self._ends(lengths[-1] - beginning, count)
        return [
            Pass(
                (length,),
                tuple(_tail(end, length - beginning, length, self.targets) for end in ends),
            )
            for length in lengths
        ]

    def words(self) -> str:
        """It, in sentences for the report."""
        blocks = "one block" if self.blocks == 1 else f"{self.blocks} blocks"
        return (
            f"Paired: of each document {blocks} of {self.targets} tokens, the same at every "
            "length, each at the end of as many tokens as the length says. What changes from "
            "length to length is only how much the model has read before them."
        )

    def _ends(self, longest: int, count: int) -> list[int]:
        """Where blocks end: spread over the document, and far enough from its beginning."""
        parts = self.blocks + 1
        return [
            max(count * (number + 1) // parts, longest + number * self.targets)
            for number in range(self.blocks)
        ]


@dataclass(frozen=True)
class Sliding:
    """Windows of one length that move over the document."""

    stride: int = STRIDE
    name: str = "sliding"

    @property
    def shortest(self) -> int:
        """A stride, and one token before it."""
        return self.stride + 1

    def terms(self, lengths: Sequence[int]) -> dict[str, Any]:
        """The longest length is how much of a document is read."""
        return {"stride": self.stride, "longest": lengths[-1]}

    def needed(self, lengths: Sequence[int]) -> int:
        """The longest window."""
        return lengths[-1]

    def passes(self, lengths: Sequence[int], count: int, beginning: int) -> list[Pass]:
        """For each length all its windows."""
        span = lengths[-1] - beginning
        return [
            Pass(
                (length,),
                tuple(
                    _tail(end, length - beginning, length, self.stride)
                    for end in range(length - beginning, span + 1, self.stride)
                ),
            )
            for length in lengths
        ]

    def words(self) -> str:
        """It, in sentences for the report."""
        return (
            f"Sliding window: windows of each length move over a document in strides of "
            f"{self.stride} tokens, as far as the longest length reaches, and each scores the "
            f"{self.stride} tokens at its end. Shorter lengths score more tokens, and so others."
        )


@dataclass(frozen=True)
class ByPosition:
    """One pass over the document; tokens count for the length within which they stand."""

    name: str = "position"

    @property
    def shortest(self) -> int:
        """Two tokens: the first follows nothing."""
        return 2

    def terms(self, lengths: Sequence[int]) -> dict[str, Any]:
        """A length's tokens are those beyond the next shorter one."""
        return {"lengths": list(lengths)}

    def needed(self, lengths: Sequence[int]) -> int:
        """The longest length."""
        return lengths[-1]

    def passes(self, lengths: Sequence[int], count: int, beginning: int) -> list[Pass]:
        """One window for all lengths."""
        # The very first token follows nothing, and is not scored.
        before = [1, *lengths[:-1]]
        scored = tuple(
            (length, length - less) for less, length in zip(before, lengths, strict=True)
        )
        return [Pass(tuple(lengths), (Window(0, lengths[-1] - beginning, scored),))]

    def words(self) -> str:
        """It, in sentences for the report."""
        return (
            "By position: each document is read once, as far as the longest length reaches, and "
            "its tokens are told apart by where they stand: a length has those beyond the next "
            "shorter one. Each length scores other tokens, whose own difficulty is in the curve."
        )


def _tail(end: int, size: int, length: int, scored: int) -> Window:
    """A window of which the last tokens are scored."""
    return Window(end - size, end, ((length, scored),))
