"""Pieces of documents, as many tokens of each domain."""

import hashlib
import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_text.allowed import open_source
from ostro.runtime.progress import Progress

FILES = (
    "pretrain/books_don_quijote_es.jsonl.zst",
    "pretrain/books_fiction.jsonl.zst",
    "pretrain/books_monte_cristo_fr.jsonl.zst",
    "pretrain/books_philosophy.jsonl.zst",
    "pretrain/code_python_packages.jsonl.zst",
    "pretrain/code_python_stdlib.jsonl.zst",
    "pretrain/dm_mathematics.jsonl.zst",
    "pretrain/docs_python.jsonl.zst",
    "pretrain/docs_python_es.jsonl.zst",
    "pretrain/formal_coq_unimath.jsonl.zst",
    "pretrain/formal_hol_light.jsonl.zst",
    "pretrain/formal_lean_mathlib.jsonl.zst",
    "pretrain/pubmed_abstracts.jsonl.zst",
    "pretrain/qa_medquad.jsonl.zst",
    "pretrain/speeches_us_presidents.jsonl.zst",
)
"""Each is a domain in one language."""
MOST_CHARACTERS = 3000
_LEAST_CHARACTERS = 200
_LEAST_TOKENS = 50  # No piece has fewer; so many pieces at most are needed for a budget.


@dataclass(frozen=True, order=True)
class _Ranked:
    """A piece with its place in the order of drawing."""

    rank: str
    text: str
    domain: str
    lang: str


def document_records(
    data: Path, path: str, seed: int, budget: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Pieces of a file in an order that ``seed`` draws, enough for ``budget`` tokens."""
    pieces = _pieces(data, path, seed, progress)
    for one in heapq.nsmallest(budget // _LEAST_TOKENS + 1, pieces):
        yield {"text": one.text, "domain": one.domain, "lang": one.lang, "source": path}


def cut(text: str, most: int = MOST_CHARACTERS) -> Iterator[str]:
    """The text in pieces of at most so many characters, at ends of paragraphs or else of lines."""
    start = 0
    while start < len(text):
        end = min(start + most, len(text))
        if end < len(text):
            end = _boundary(text, start, end)
        piece = text[start:end].strip("\n")
        if piece.strip():
            yield piece
        start = end


def _boundary(text: str, start: int, end: int) -> int:
    """The last good place to cut in the second half; ``end`` itself where there is none."""
    for mark in ("\n\n", "\n", ". ", " "):
        found = text.rfind(mark, start + (end - start) // 2, end)
        if found > start:
            return found + len(mark)
    return end


def _pieces(data: Path, path: str, seed: int, progress: Progress) -> Iterator[_Ranked]:
    for values in open_source(data, path, progress):
        for number, text in enumerate(cut(_tidy(values["text"]))):
            if len(text) >= _LEAST_CHARACTERS:
                name = f"{seed}/{values['id']}/{number}"
                rank = hashlib.sha256(name.encode()).hexdigest()
                yield _Ranked(rank, text, values["domain"], values["lang"])


def _tidy(text: str) -> str:
    return re.sub(r"\n{4,}", "\n\n\n", text)
