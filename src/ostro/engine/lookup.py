"""Prompt lookup: guess the next tokens from where the last ones stood before (Saxena, 2023).

Answers often repeat their prompt: code that is edited, fields of JSON, names in a few-shot example.
No second model is needed to see that. A guess never changes an answer, since each token is still
chosen from the model's own logits; it only allows several to be computed in one step.
"""

from collections.abc import Sequence

LONGEST_MATCH = 8
"""Tokens of agreement that are told apart; more count as this many."""


class PromptLookup:
    """Follows one list of tokens as it grows; it knows of those up to the last :meth:`update`."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens
        self._after: dict[tuple[int, int], int] = {}
        self._seen = 1
        self._next: int | None = None

    def update(self) -> None:
        """Take note of the tokens that have come since the last call."""
        tokens = self._tokens
        for end in range(self._seen, len(tokens)):
            pair = tokens[end - 1], tokens[end]
            self._next = self._after.get(pair)
            self._after[pair] = end + 1
        self._seen = max(self._seen, len(tokens))

    @property
    def match(self) -> int:
        """How many of the last tokens stood before what would be guessed; 0: there is no guess."""
        if self._next is None:
            return 0
        tokens, last = self._tokens, self._seen
        count = 2
        while (
            count < min(LONGEST_MATCH, self._next)
            and tokens[self._next - 1 - count] == tokens[last - 1 - count]
        ):
            count += 1
        return count

    def guess(self, count: int) -> list[int]:
        """The ``count`` tokens that followed there; where they reach the end, they repeat."""
        if self._next is None:
            return []
        tokens, size = self._tokens, self._seen
        guessed: list[int] = []
        for place in range(self._next, self._next + count):
            guessed.append(tokens[place] if place < size else guessed[place - size])
        return guessed
