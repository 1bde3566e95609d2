"""Tokens of records, counted as ``ostro data prepare`` makes them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ostro.data.kinds import Kind, converter
from ostro.data.sequences import Convert
from ostro.errors import OstroError
from ostro.runtime.progress import Advance
from ostro.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Tokens:
    """How many tokens are read, and on how many of them something is learned."""

    read: int = 0
    learned: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.read + other.read, self.learned + other.learned)


@dataclass
class TokenCounter:
    """Counts in one tokenizer's own template."""

    tokenizer: Tokenizer
    _converters: dict[Kind, Convert] = field(default_factory=dict)

    def count(self, kind: Kind, record: Mapping[str, Any]) -> Tokens:
        """Of one record; an OstroError if it can't be used."""
        if kind not in self._converters:
            alone = kind == "conversations"  # As runs/demo.sh prepares them.
            self._converters[kind] = converter(kind, self.tokenizer, alone=alone)
        sequences = self._converters[kind](record)
        return Tokens(
            sum(len(one) for one in sequences), sum(int(one.learned.sum()) for one in sequences)
        )

    def text(self, text: str) -> int:
        """Of a plain text."""
        return len(self.tokenizer.encode(text))

    def upto(
        self,
        kind: Kind,
        records: Iterable[Mapping[str, Any]],
        budget: int,
        advance: Advance,
        *,
        longest: int | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """Records until ``budget`` tokens are read; longer ones and unusable ones are left out."""
        left = budget
        for record in records:
            if left <= 0:
                return
            try:
                tokens = self.count(kind, record).read
            except OstroError:
                continue
            if longest is None or tokens <= longest:
                left -= tokens
                advance(tokens)
                yield record
