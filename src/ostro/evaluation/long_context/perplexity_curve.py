"""Perplexity over context lengths: how much a model gains from what it has read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostro.errors import OstroError
from ostro.evaluation.long_context.curve_section import curve_section
from ostro.evaluation.long_context.documents import Document, sampled
from ostro.evaluation.long_context.lengths import chosen_lengths, require_lengths
from ostro.evaluation.long_context.protocols import CurveProtocol, Paired, Pass
from ostro.evaluation.long_context.reading import read_losses
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Advance, Progress


@dataclass(frozen=True, kw_only=True)
class PerplexityCurve:
    """Perplexity of long documents over context lengths, by one of three protocols."""

    documents: Sequence[Document] = field(repr=False)
    protocol: CurveProtocol = field(default_factory=Paired)
    lengths: Sequence[int] | None = None
    """In tokens; None: powers of two from 512 to the model's context."""
    limit: int | None = None
    """The most documents."""
    seed: int = 0
    """Draws the documents, where there are more."""
    name: str = "perplexity"

    def check(self, subject: Subject) -> None:
        """Refuse lengths beyond the model, and documents none of which can be long enough."""
        require_lengths(self.lengths, subject, self.protocol.shortest)
        needed = self.protocol.needed(chosen_lengths(self.lengths, subject))
        # A token is a byte at least, but for a few at the beginning.
        if not any(len(document.text.encode()) + 8 >= needed for document in self._chosen()):
            raise OstroError(
                f"none of {len(self._chosen())} documents has the {needed} tokens that "
                f"{subject.name} is measured with; name longer ones, or shorter lengths"
            )

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Read what was not read yet; a unit is a document at a length."""
        lengths = chosen_lengths(self.lengths, subject)
        terms = {"protocol": self.protocol.name} | self.protocol.terms(lengths)
        with results.open(subject.key, self.name, terms) as units:
            reader = _Reader(subject, self.protocol, lengths, units)
            total = sum(reader.cost(document) for document in self._chosen())
            label = f"perplexity of {subject.name}"
            with progress.task(label, total, "items") as advance:
                for document in self._chosen():
                    reader.read(document, advance)
            return self._found(lengths, units)

    def section(self, found: Mapping[str, Found]) -> Section:
        """The curves, their steps, and in words whether they fall throughout."""
        return curve_section(self.name, self.protocol.words(), found)

    def _chosen(self) -> tuple[Document, ...]:
        return sampled(self.documents, self.limit, self.seed)

    def _found(self, lengths: Sequence[int], units: Units) -> Found:
        read: list[dict[str, Any]] = []
        left_out: list[dict[str, Any]] = []
        needed = self.protocol.needed(lengths)
        for document in self._chosen():
            about = {"id": document.id, "tokens": units[document.key]}
            if about["tokens"] < needed:
                left_out.append(about)
            else:
                scores = {str(length): units[_unit(document, length)] for length in lengths}
                read.append(about | {"group": document.group, "scores": scores})
        if not read:
            raise OstroError(
                f"no document has the {needed} tokens that are needed; the longest has "
                f"{max(about['tokens'] for about in left_out)}; name longer ones"
            )
        return {
            "protocol": self.protocol.name,
            "lengths": list(lengths),
            "needed": needed,
            "documents": read,
            "left_out": left_out,
        }


class _Reader:
    """Reads documents with a model, and keeps what it thinks of them."""

    def __init__(
        self, subject: Subject, protocol: CurveProtocol, lengths: Sequence[int], units: Units
    ) -> None:
        self._subject, self._protocol = subject, protocol
        self._lengths, self._units = lengths, units
        self._needed = protocol.needed(lengths)

    def cost(self, document: Document) -> int:
        """Tokens to be read of a document, if it is long enough."""
        if document.key in self._units and self._units[document.key] < self._needed:
            return 0
        passes = self._unknown(document, self._protocol.passes(self._lengths, self._needed, 0))
        return sum(window.end - window.start for one in passes for window in one.windows)

    def read(self, document: Document, advance: Advance) -> None:
        """Score what is not known of a document, if it is long enough."""
        cost = self.cost(document)
        if not cost:
            return
        llm = self._subject.llm
        ids, beginning = llm.encode(document.text), llm.encode("")
        if document.key not in self._units:
            self._units.add(document.key, len(ids))
        if len(ids) < self._needed:
            advance(cost)
            return
        body = ids[len(beginning) :]
        passes = self._protocol.passes(self._lengths, len(body), len(beginning))
        for one in self._unknown(document, passes):
            self._score(document, one, beginning, body, advance)

    def _unknown(self, document: Document, passes: Sequence[Pass]) -> list[Pass]:
        return [
            one
            for one in passes
            if any(_unit(document, length) not in self._units for length in one.lengths)
        ]

    def _score(
        self,
        document: Document,
        one: Pass,
        beginning: list[int],
        body: list[int],
        advance: Advance,
    ) -> None:
        losses, counts = dict.fromkeys(one.lengths, 0.0), dict.fromkeys(one.lengths, 0)
        for window in one.windows:
            ids = [*beginning, *body[window.start : window.end]]
            sizes = [count for _, count in window.scored]
            loss_T = read_losses(self._subject.llm, ids, sum(sizes), advance)
            for (length, count), part in zip(window.scored, loss_T.split(sizes), strict=True):
                losses[length] += part.sum().item()
                counts[length] += count
        for length in one.lengths:
            if _unit(document, length) not in self._units:
                value = {"loss": losses[length], "tokens": counts[length]}
                self._units.add(_unit(document, length), value)


def _unit(document: Document, length: int) -> str:
    return f"{document.key}/{length}"
