"""Texts of different domains, from the benchmark data."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData

FILE = "routing_domains"


@dataclass(frozen=True)
class RoutingDocument:
    """A text of a domain."""

    key: str
    """What tells it from all others."""
    domain: str
    text: str


def routing_documents(data: BenchmarkData, limit: int | None, seed: int) -> list[RoutingDocument]:
    """At most ``limit`` documents of each domain, domain by domain; a text counts once.

    A domain in several languages is several domains. What is drawn for a small limit is among
    what is drawn for a larger one. An OstroError if the file is missing or has no text.
    """
    records = data.records(FILE, ("text", "domain", "lang"))
    domains = _by_domain([record for record in records if record["text"].strip()])
    if not domains:
        raise OstroError(f"{data.path(FILE)} has no text; fetch it again")
    return [
        document
        for domain in sorted(domains)
        for document in _drawn(domain, domains[domain], limit, seed)
    ]


def _by_domain(records: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    languages: dict[str, set[str]] = defaultdict(set)
    for record in records:
        languages[record["domain"]].add(record["lang"])
    found: dict[str, list[str]] = defaultdict(list)
    for record in records:
        domain, lang = record["domain"], record["lang"]
        name = domain if len(languages[domain]) == 1 else f"{domain} ({lang})"
        found[name].append(record["text"])
    return found


def _drawn(
    domain: str, texts: Sequence[str], limit: int | None, seed: int
) -> list[RoutingDocument]:
    different = list(dict.fromkeys(texts))
    random.Random(f"{seed} {domain}").shuffle(different)
    return [RoutingDocument(_key(domain, text), domain, text) for text in different[:limit]]


def _key(domain: str, text: str) -> str:
    return hashlib.sha256(f"{domain}\n{text}".encode()).hexdigest()[:16]
