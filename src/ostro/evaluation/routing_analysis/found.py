"""From the counts of documents to shares with their errors, in JSON's plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

from ostro.config import Geometry
from ostro.evaluation.routing_analysis.chance import first_repeat_chance, shared_chance
from ostro.evaluation.statistics import ratio_of

ALL = "all documents"
EITHER = "either"
_ORDINALS = ("first", "second")

Counts = Mapping[str, Any]
"""A document's counts (:mod:`ostro.evaluation.routing_analysis.counts`), as plain values."""


def three_layers(num_layers: int) -> list[int]:
    """The first, a middle and the last: 0, 15 and 31 of 32, as in the paper."""
    return sorted({0, (num_layers - 1) // 2, num_layers - 1})


def choice_names(top_k: int) -> list[str]:
    """``first``, ``second``, and so on, in the order of a router's choices."""
    return [_ORDINALS[k] if k < len(_ORDINALS) else f"choice {k + 1}" for k in range(top_k)]


def routing_found(geometry: Geometry, domains: Mapping[str, Sequence[Counts]]) -> dict[str, Any]:
    """What was found of the documents of each domain, and of all together."""
    layers = three_layers(geometry.num_layers)
    every = [counts for documents in domains.values() for counts in documents]
    return {
        "num_layers": geometry.num_layers,
        "num_experts": geometry.num_experts,
        "layers": layers,
        "chance": {
            "first": first_repeat_chance(geometry.num_experts),
            "shared": shared_chance(geometry.num_experts, geometry.top_k),
        },
        "domains": {
            name: {
                "documents": len(documents),
                "tokens": sum(counts["tokens"] for counts in documents),
                "shares": {str(layer): _shares(documents, layer, geometry) for layer in layers},
                "first_repeats": _repeats(documents, "first_L", geometry.num_layers),
                "shared": _repeats(documents, "shared_L", geometry.num_layers),
            }
            for name, documents in [*domains.items(), (ALL, every)]
        },
    }


def _shares(documents: Sequence[Counts], layer: int, geometry: Geometry) -> dict[str, Any]:
    """Of each choice, and of all assignments, the share of every expert."""
    names = choice_names(geometry.top_k)
    split = {
        name: [[counts["chosen_LKE"][layer][slot]] for counts in documents]
        for slot, name in enumerate(names)
    }
    split[EITHER] = [counts["chosen_LKE"][layer] for counts in documents]
    return {name: _expert_shares(rows, geometry.num_experts) for name, rows in split.items()}


def _expert_shares(rows: Sequence[Sequence[Sequence[int]]], num_experts: int) -> list[Any]:
    """``rows`` are the counts ``[k, E]`` of each document."""
    amounts = [[sum(slot[e] for slot in slots) for e in range(num_experts)] for slots in rows]
    sizes = [sum(counts) for counts in amounts]
    return [ratio_of([a[e] for a in amounts], sizes).to_dict() for e in range(num_experts)]


def _repeats(documents: Sequence[Counts], name: str, num_layers: int) -> list[Any]:
    """Layer by layer the share of pairs; None where no document has two tokens."""
    pairs = [counts["pairs"] for counts in documents]
    if not any(pairs):
        return [None] * num_layers
    return [
        ratio_of([counts[name][layer] for counts in documents], pairs).to_dict()
        for layer in range(num_layers)
    ]
