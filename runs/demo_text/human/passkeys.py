"""Keys hidden in long texts, and the question for them."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from demo_text.allowed import open_source
from demo_text.human import passkey_tables as t
from demo_text.writing import conversation
from ostro.runtime.progress import Progress

REPEATED = "passkeys: repeated sentences"
BOOKS = (
    "pretrain/books_fiction.jsonl.zst",
    "pretrain/books_philosophy.jsonl.zst",
    "pretrain/books_monte_cristo_fr.jsonl.zst",
    "pretrain/speeches_us_presidents.jsonl.zst",
)
_TEXTS_OF_A_BOOK = 40
_REPEATED_SHARE, _LANDMARK_SHARE, _WORD_SHARE = 0.5, 0.3, 0.25
_CHARACTERS_FOR_A_TOKEN = 6
_SENTENCE = re.compile(r"\S.*?[.!?][\"'”\u2019»]*(?=\s|$)", re.DOTALL)

CountTokens = Callable[[str], int]


@dataclass(frozen=True)
class Filler:
    """Sentences to hide a key among."""

    source: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class Lengths:
    """How many conversations there are to be, and how long, in tokens of the question."""

    count: int
    shortest: int
    longest: int

    def spread(self) -> list[int]:
        """From the shortest to the longest, by equal factors."""
        steps = max(self.count - 1, 1)
        factor = (self.longest / self.shortest) ** (1 / steps)
        return [round(self.shortest * factor**number) for number in range(self.count)]

    def depths(self) -> list[float]:
        """From the beginning to the end, both included, by equal steps."""
        return [number / max(self.count - 1, 1) for number in range(self.count)]


def passkey_records(
    lengths: Lengths, books: Sequence[Filler], tokens: CountTokens, seed: int
) -> Iterator[dict[str, Any]]:
    """Conversations of all lengths, with keys at all depths; which go together is drawn."""
    draw = random.Random(f"{seed}/passkeys")
    depths = lengths.depths()
    draw.shuffle(depths)
    for length, depth in zip(lengths.spread(), depths, strict=True):
        yield _passkey(length, depth, books, tokens, draw)


def book_fillers(data: Path, seed: int, progress: Progress) -> list[Filler]:
    """Long texts out of books, as sentences."""
    draw, fillers = random.Random(f"{seed}/fillers"), []
    for path in BOOKS:
        texts = [values["text"] for values in open_source(data, path, progress)]
        for text in draw.sample(texts, min(_TEXTS_OF_A_BOOK, len(texts))):
            fillers.append(Filler(path, sentences_of(text[:60_000])))
    return fillers


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, white space joined; very long ones are left out."""
    found = (" ".join(match.split()) for match in _SENTENCE.findall(text))
    return [sentence for sentence in found if 10 <= len(sentence) <= 600]


def hidden(sentences: Sequence[str], line: str, depth: float) -> str:
    """The sentences as a text with ``line`` among them; 0 is before all, 1 after all."""
    at = round(depth * len(sentences))
    parts = [" ".join(sentences[:at]), line, " ".join(sentences[at:])]
    return "\n".join(part for part in parts if part)


def _passkey(
    length: int, depth: float, books: Sequence[Filler], tokens: CountTokens, draw: random.Random
) -> dict[str, Any]:
    is_word = draw.random() < _WORD_SHARE
    what = draw.choice(t.WORD_NAMES if is_word else t.NUMBER_NAMES)
    key = draw.choice(t.WORD_KEYS) if is_word else _number(draw)
    task, line, question = (draw.choice(table) for table in (t.TASKS, t.KEY_LINES, t.QUESTIONS))
    if draw.random() < _LANDMARK_SHARE:
        what = "pass key"
        task, line, question = t.LANDMARK
    filler = _filler(books, draw)
    start, line, asked, answer = (
        text.format(what=what, key=key) for text in (task, line, question, draw.choice(t.ANSWERS))
    )
    if asked.endswith(" is"):
        answer = f"{key}."

    def written(count: int) -> str:
        body = hidden(list(islice(cycle(filler.sentences), count)), line, depth)
        return "\n".join(part for part in (start, body, asked) if part)

    text = written(_fitting(written, filler.sentences, length, tokens))
    return conversation(filler.source, text, answer, depth=f"{depth:.3f}", key=key)


def _fitting(
    written: Callable[[int], str], sentences: Sequence[str], length: int, tokens: CountTokens
) -> int:
    """The most sentences with which the text has at most ``length`` tokens; 0 if none fits."""
    fits, too_many = 0, 2 + length * _CHARACTERS_FOR_A_TOKEN // min(map(len, sentences))
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if tokens(written(middle)) <= length:
            fits = middle
        else:
            too_many = middle
    return fits


def _filler(books: Sequence[Filler], draw: random.Random) -> Filler:
    if not books or draw.random() < _REPEATED_SHARE:
        text = t.FILLERS[0] if draw.random() < 0.5 else draw.choice(t.FILLERS)
        return Filler(REPEATED, sentences_of(text))
    book = draw.choice(books)
    # Another beginning each time, so that no book's first page is learned.
    at = draw.randrange(len(book.sentences))
    return Filler(book.source, [*book.sentences[at:], *book.sentences[:at]])


def _number(draw: random.Random) -> str:
    digits = draw.choice((3, 4, 5, 5, 5, 6, 7))
    return str(draw.randrange(10 ** (digits - 1), 10**digits))
