"""How evenly each layer's assignments fall on its experts, by documents of every domain.

The first 1,024 tokens of eight documents of each domain are read through the engine; all choices of
all tokens count alike. Even is one in the number of experts. An expert is dead if no token of any
document chose it. Shares by domain, and how often neighbours share an expert, are those of
``ostro eval routing``, which docs/routing.md explains.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from demo_checks.domain_chance import Numbers, domain_test
from demo_checks.setup import Setup
from ostro.evaluation.results import Units
from ostro.evaluation.routing_analysis.counts import count_routing
from ostro.evaluation.routing_analysis.documents import RoutingDocument, routing_documents
from ostro.evaluation.routing_analysis.found import ALL, routing_found
from ostro.evaluation.routing_analysis.read import read_documents

DOCUMENTS = 8
TOKENS = 1024
FACTOR = 2.0
"""Of even, in both directions."""


def routing_load(setup: Setup) -> dict[str, Any]:
    """Loads layer by layer, dead experts, the test of domains and repetitions."""
    documents = routing_documents(setup.evaluation, setup.number(DOCUMENTS), 0)
    tokens = min(TOKENS, setup.model.context - 2)
    with setup.results.open(setup.model.key, "demo-load", {"tokens": tokens}) as units:
        _measure(setup, documents, tokens, units)
        counts = [units[one.key] for one in documents]
    counts_NLE = np.array([one["chosen_LKE"] for one in counts], dtype=np.float64).sum(2)
    by_domain: dict[str, list[Any]] = {}
    for one, count in zip(documents, counts, strict=True):
        by_domain.setdefault(one.domain, []).append(count)
    found = routing_found(setup.model.geometry, by_domain)
    return {
        "layers": layer_loads(counts_NLE),
        "domain test": domain_test(counts_NLE, [one.domain for one in documents]),
        "chance": found["chance"],
        "three layers": found["layers"],
        "all": found["domains"][ALL],
        "domains": found["domains"],
    }


def layer_loads(counts_NLE: Numbers) -> list[dict[str, Any]]:
    """Of each layer the largest and the smallest load over even, and experts without any."""
    counts_LE = counts_NLE.sum(0)
    over_even_LE = counts_LE / counts_LE.mean(1, keepdims=True)
    return [
        {"most": float(row.max()), "least": float(row.min()), "dead": int((row == 0).sum())}
        for row in over_even_LE
    ]


def is_even(loads: Sequence[dict[str, Any]]) -> bool:
    """Whether every layer's loads are within the factor."""
    return all(one["most"] <= FACTOR and one["least"] >= 1 / FACTOR for one in loads)


def _measure(setup: Setup, documents: Sequence[RoutingDocument], tokens: int, units: Units) -> None:
    missing = [one for one in documents if one.key not in units]
    if not missing:
        return
    llm, experts = setup.model.llm, setup.model.geometry.num_experts
    read = read_documents(llm, [one.text for one in missing], tokens, setup.progress)
    for one, (_, experts_TLK) in zip(missing, read, strict=True):
        units.add(one.key, count_routing(experts_TLK, experts).to_dict())
