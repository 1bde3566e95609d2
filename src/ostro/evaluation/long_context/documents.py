"""Long documents: from benchmark data, or the user's own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ostro.data.broken import Broken
from ostro.data.records import Record, read_records
from ostro.data.sources import find_files
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData, spread_sample

LONG_DOCUMENTS = ("longdoc_books", "longdoc_proofpile_like")
"""Files of benchmark data that hold whole documents."""


@dataclass(frozen=True)
class Document:
    """A whole text."""

    id: str
    text: str = field(repr=False)
    group: str = ""
    """What it is a document of, such as a domain: a sample is spread over these."""

    @property
    def key(self) -> str:
        """Tells this text from others."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def benchmark_documents(data: BenchmarkData) -> tuple[Document, ...]:
    """All long documents of the benchmark data; one of its files at least must be there."""
    names = [name for name in LONG_DOCUMENTS if data.has(name)] or LONG_DOCUMENTS[:1]
    return tuple(
        Document(str(values["id"]), values["text"], str(values.get("domain", name)))
        for name in names
        for values in data.records(name, ("id", "text"))
    )


def own_documents(sources: Sequence[Path]) -> tuple[Document, ...]:
    """Documents of the user: a text file is one, and so is each record with a ``text``.

    What cannot be read is an OstroError: a part would pass for the whole.
    """
    broken, found = Broken(), []
    for file in find_files(sources):
        records = read_records([file], broken, lambda done: None)
        found += [_document(record, file.name) for record in records]
    if broken.count:
        first = broken.first[0]
        raise OstroError(f"{first.place}: {first.reason}; mend the file, or leave it out")
    if not found:
        raise OstroError(f"{sources[0]} holds no document; name a text file")
    return tuple(found)


def sampled(documents: Sequence[Document], limit: int | None, seed: int) -> tuple[Document, ...]:
    """At most ``limit`` of the documents, spread over their groups."""
    numbers = spread_sample([document.group for document in documents], limit, seed)
    return tuple(documents[number] for number in numbers)


def _document(record: Record, group: str) -> Document:
    text = record.values.get("text")
    if not isinstance(text, str) or not text:
        raise OstroError(f"{record.place}: a document needs a 'text'")
    return Document(str(record.values.get("id", record.place)), text, group)
