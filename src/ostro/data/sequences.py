"""What a record becomes: token ids, and which of them a model learns to tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class TokenSequence:
    """The tokens of one document, conversation or answer."""

    ids: Ids
    """``[n]``"""
    learned: Mask
    """``[n]``: whether the token is a target. The first never is: nothing precedes it."""

    @classmethod
    def of(cls, ids: list[int], learned_from: int) -> "TokenSequence":
        """All tokens from number ``learned_from`` on are learned, but never the first."""
        learned = np.arange(len(ids)) >= max(learned_from, 1)
        return cls(np.asarray(ids, np.int64), learned)

    def __len__(self) -> int:
        return len(self.ids)

    def starts_with(self, other: "TokenSequence") -> bool:
        """Whether ``other``'s tokens are this one's first."""
        return np.array_equal(self.ids[: len(other)], other.ids)


Convert = Callable[[Mapping[str, Any]], list[TokenSequence]]
"""Makes a record's values into sequences, or raises an OstroError that says what is wrong."""
