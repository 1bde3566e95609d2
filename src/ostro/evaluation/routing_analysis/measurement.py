"""Which experts the tokens of different domains take, and how often neighbours share one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.engine.llm import LLM
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.measurement import Found
from ostro.evaluation.report.contents import Section
from ostro.evaluation.results import Results, Units
from ostro.evaluation.routing_analysis.coloured import token_texts
from ostro.evaluation.routing_analysis.counts import count_routing
from ostro.evaluation.routing_analysis.documents import RoutingDocument, routing_documents
from ostro.evaluation.routing_analysis.found import routing_found, three_layers
from ostro.evaluation.routing_analysis.read import read_documents
from ostro.evaluation.routing_analysis.section import PublishedRepeats, routing_section
from ostro.evaluation.subject import Subject
from ostro.runtime.progress import Progress

EXAMPLE_TOKENS = 200
_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class RoutingAnalysis:
    """Section 5 of the Mixtral paper, on the texts of ``routing_domains``."""

    data: BenchmarkData
    limit: int | None = None
    """Documents of each domain; None takes all."""
    seed: int = 0
    """What draws them."""
    tokens: int = 2048
    """Of a document the most that are read, from its beginning."""
    examples: Sequence[str] = ("github_code", "dm_mathematics", "gutenberg_books")
    """Domains of which a text is shown; where there is none of them, the first three."""
    reference: Sequence[PublishedRepeats] = ()
    """What was published of other models, to stand beside what is found."""

    @property
    def name(self) -> str:
        """``routing``."""
        return "routing"

    def check(self, subject: Subject) -> None:
        """Refuse a dense model, and data that is missing."""
        if not subject.geometry.is_sparse:
            raise OstroError(f"{subject.name} is dense: it has no router, so there is no routing")
        if subject.context < 4:
            raise OstroError(f"{subject.name}: routing needs a --context of 4 tokens at least")
        for name, value in (("limit", self.limit), ("tokens", self.tokens)):
            if value is not None and value < 1:
                raise OstroError(f"routing: {name} must be 1 or more, not {value}")
        self._documents()

    def measure(self, subject: Subject, results: Results, progress: Progress) -> Found:
        """Read what was not read yet, and sum up."""
        documents = self._documents()
        # BOS comes in front, and the engine wants room for one token more.
        tokens = min(self.tokens, subject.context - 2)
        with results.open(subject.key, self.name, {"tokens": tokens}) as units:
            missing = [one for one in documents if one.key not in units]
            if missing:
                _count(subject.llm, missing, tokens, units, progress)
            shown = _Shown.of(documents, self.examples, min(tokens, EXAMPLE_TOKENS))
            shown.read(subject, units, progress)
            by_domain: dict[str, list[Mapping[str, Any]]] = {}
            for one in documents:
                by_domain.setdefault(one.domain, []).append(units[one.key])
            found = routing_found(subject.geometry, by_domain)
            return found | {"tokens": tokens, "examples": shown.found(units)}

    def section(self, found: Mapping[str, Found]) -> Section:
        """Tables, curves and coloured texts."""
        return routing_section(found, self.reference)

    def _documents(self) -> list[RoutingDocument]:
        return routing_documents(self.data, self.limit, self.seed)


@dataclass(frozen=True)
class _Shown:
    """The texts that are shown."""

    documents: Sequence[RoutingDocument]
    tokens: int

    @classmethod
    def of(
        cls, documents: Sequence[RoutingDocument], domains: Iterable[str], tokens: int
    ) -> "_Shown":
        first: dict[str, RoutingDocument] = {}
        for one in documents:
            first.setdefault(one.domain, one)
        wanted = [name for name in domains if name in first] or list(first)[:_EXAMPLES]
        return cls([first[name] for name in wanted], tokens)

    def read(self, subject: Subject, units: Units, progress: Progress) -> None:
        """Read those that were not read yet."""
        missing = [one for one in self.documents if self._unit(one) not in units]
        if not missing:
            return
        llm, layers = subject.llm, three_layers(subject.geometry.num_layers)
        texts = [one.text for one in missing]
        read = read_documents(llm, texts, self.tokens, progress)
        for one, (ids, experts_TLK) in zip(missing, read, strict=True):
            chosen = {str(layer): experts_TLK[:, layer, 0].tolist() for layer in layers}
            texts_T = token_texts(llm.tokenizer, ids)
            units.add(self._unit(one), {"texts": texts_T, "experts": chosen})

    def found(self, units: Units) -> dict[str, Any]:
        """By domain."""
        return {one.domain: units[self._unit(one)] for one in self.documents}

    def _unit(self, document: RoutingDocument) -> str:
        return f"shown {self.tokens} {document.key}"


def _count(
    llm: LLM,
    documents: Sequence[RoutingDocument],
    tokens: int,
    units: Units,
    progress: Progress,
) -> None:
    num_experts = llm.model.geometry.num_experts
    read = read_documents(llm, [one.text for one in documents], tokens, progress)
    for one, (_, experts_TLK) in zip(documents, read, strict=True):
        units.add(one.key, count_routing(experts_TLK, num_experts).to_dict())
