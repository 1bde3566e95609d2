"""Quantisation mixes: which type each matrix of a model gets, under llama.cpp's names.

A mix has one type for most matrices and spends more bits where a model is most sensitive: the
head, the values of attention, the way out of a block, and the first and last layers. Source of the
facts: what llama.cpp's quantiser chooses for the architecture that Mixtral, Mistral and Llama share
(version of November 2026, without an importance matrix); a slow test compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ostro.config import Geometry, WeightType, weight_type
from ostro.errors import OstroError
from ostro.weights.slots import Kind, Slot

# From a layer's number and the geometry to the name of a type; None means the mix's own.
Rule = Callable[[int, Geometry], str | None]


@dataclass(frozen=True)
class Mix:
    """One mix. Types are those wanted; rows that do not fit get the type's fallback."""

    name: str
    base: str
    file_type: int
    """llama.cpp's number of the mix, for ``general.file_type``."""
    rules: Mapping[Kind, Rule] = field(default_factory=dict)
    """The kinds of matrices that get something else than the base."""

    def type_of(self, slot: Slot, geometry: Geometry) -> WeightType:
        """The type for the matrix ``slot``; not for routers and norms, which stay exact."""
        return weight_type(self._name_of(slot, geometry) or self.base)

    def _name_of(self, slot: Slot, geometry: Geometry) -> str | None:
        if _is_head(slot, geometry):
            return "Q8_0" if self.base == "Q8_0" else "Q6_K"
        if geometry.num_experts == 8 and slot.kind in ("key", "value"):
            return "Q8_0"  # Beside eight experts these are too small to save on.
        rule = self.rules.get(slot.kind)
        return rule(slot.layer, geometry) if rule else None


def _is_head(slot: Slot, geometry: Geometry) -> bool:
    """The head, or the embedding that serves as one."""
    return slot.kind == "head" or (slot.kind == "embedding" and geometry.tied_embeddings)


def _always(name: str) -> Rule:
    return lambda layer, geometry: name


def _sensitive_layers(name: str) -> Rule:
    """The first and the last eighth of the layers, and every third between."""

    def rule(layer: int, geometry: Geometry) -> str | None:
        count = geometry.num_layers
        eighth = count // 8
        is_outer = layer < eighth or layer >= 7 * count // 8
        return name if is_outer or (layer - eighth) % 3 == 2 else None

    return rule


def _first_layers(share: int, first: str, others: str) -> Rule:
    """The first ``1 / share`` of the layers, and the others."""
    return lambda layer, geometry: first if layer < geometry.num_layers // share else others


def _values_shared(rule: Rule) -> Rule:
    """Five bits at least in dense models of 80 layers, whose values serve eight heads each."""

    def raised(layer: int, geometry: Geometry) -> str | None:
        is_70b = geometry.num_layers == 80 and geometry.num_heads != geometry.num_kv_heads
        return "Q5_K" if is_70b and rule(layer, geometry) != "Q6_K" else rule(layer, geometry)

    return raised


def _by_experts(eight: str, other: str | None) -> Rule:
    """Whether the model has eight experts."""
    return lambda layer, geometry: eight if geometry.num_experts == 8 else other


def _by_sharing(shared: str, other: str) -> Rule:
    """Whether at least four query heads share a value head."""
    return lambda layer, geometry: (
        shared if geometry.num_heads >= 4 * geometry.num_kv_heads else other
    )


_MIXES = (
    Mix("q8_0", "Q8_0", 7),
    Mix("q6_k", "Q6_K", 18),
    Mix(
        "q5_k_m",
        "Q5_K",
        17,
        {"value": _sensitive_layers("Q6_K"), "down": _sensitive_layers("Q6_K")},
    ),
    Mix(
        "q4_k_m",
        "Q4_K",
        15,
        {
            "value": _values_shared(_sensitive_layers("Q6_K")),
            "down": _sensitive_layers("Q6_K"),
            "output": _by_experts("Q5_K", None),
        },
    ),
    Mix("q4_0", "Q4_0", 2),
    Mix(
        "q3_k_m",
        "Q3_K",
        12,
        {
            "value": _values_shared(lambda layer, geometry: "Q5_K" if layer < 2 else "Q4_K"),
            "down": _first_layers(16, "Q5_K", "Q4_K"),
            "output": _by_experts("Q5_K", "Q4_K"),
        },
    ),
    Mix(
        "q2_k",
        "Q2_K",
        10,
        {
            "value": _values_shared(_by_sharing("Q4_K", "Q3_K")),
            "down": _always("Q3_K"),
            "output": _by_experts("Q5_K", "Q3_K"),
        },
    ),
)
MIXES: Mapping[str, Mix] = MappingProxyType({mix.name: mix for mix in _MIXES})


def find_mix(name: str) -> Mix:
    """The mix called ``name``, in any case. An unknown name is an error that lists the known."""
    try:
        return MIXES[name.lower()]
    except KeyError:
        raise OstroError(f"unknown mix {name!r}; use one of {', '.join(MIXES)}") from None
