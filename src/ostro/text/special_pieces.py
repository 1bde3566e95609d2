"""Control tokens in a text: found where a template wrote them, hidden where a message did."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise


class SpecialPieces:
    """The texts of control tokens, and their ids."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self.ids = {piece: number for piece, number in ids.items() if piece}
        longest_first = sorted(self.ids, key=len, reverse=True)
        any_piece = "|".join(map(re.escape, longest_first)) or "(?!)"
        self._split = re.compile(f"({any_piece})")
        self._occurrence = re.compile(f"(?=(?:{any_piece}))", re.IGNORECASE)

    def split(self, text: str) -> Iterator[str | int]:
        """Cut ``text`` into ids of control tokens and the plain text between them."""
        for index, part in enumerate(self._split.split(text)):
            if index % 2:
                yield self.ids[part]
            elif part:
                yield part

    def broken(self, text: str) -> list[str]:
        """Cut ``text`` after the first character of whatever looks like a control token."""
        cuts = [0, *sorted(self._inside(text)), len(text)]
        return [text[a:b] for a, b in pairwise(cuts) if a < b]

    def hide(self, text: str, mark: str) -> str:
        """Put ``mark`` into a message wherever it could become, or complete, a control token.

        That is inside each look-alike, in whatever case since a template may change that, and
        at either end of the text if a template's own text might complete it to a control token;
        a template may trim the text, so the ends without white space count too.
        """
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        cuts = self._inside(text)
        cuts |= {at for at in (len(text), end) if self._could_go_on(text[:at])}
        cuts |= {at for at in (0, start) if self._could_have_begun(text[at:])}
        if start < end and text.strip().lower() in self._all_lower:
            cuts.add(end)
        for at in sorted(cuts, reverse=True):
            text = text[:at] + mark + text[at:]
        return text

    def _inside(self, text: str) -> set[int]:
        return {match.start() + 1 for match in self._occurrence.finditer(text)}

    @cached_property
    def _all_lower(self) -> str:
        # The separator keeps the end of one piece and the beginning of the next apart.
        return "\0".join(self.ids).lower()

    @cached_property
    def _beginnings(self) -> frozenset[str]:
        return frozenset(p[:n].lower() for p in self.ids for n in range(1, len(p)))

    @cached_property
    def _ends(self) -> frozenset[str]:
        return frozenset(p[n:].lower() for p in self.ids for n in range(1, len(p)))

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.ids), default=0)

    def _could_go_on(self, text: str) -> bool:
        longest = min(len(text), self._longest)
        return any(text[-n:].lower() in self._beginnings for n in range(1, longest + 1))

    def _could_have_begun(self, text: str) -> bool:
        longest = min(len(text), self._longest)
        return any(text[:n].lower() in self._ends for n in range(1, longest + 1))
