"""What was published about Mixtral and its peers, with its sources and protocols."""

from ostro.evaluation.published.lookup import (
    MODELS,
    reference,
    reference_cell,
    reference_row,
    references,
)
from ostro.evaluation.published.reference import ACTIVE_PARAMETERS, Reference, Source

__all__ = [
    "ACTIVE_PARAMETERS",
    "MODELS",
    "Reference",
    "Source",
    "reference",
    "reference_cell",
    "reference_row",
    "references",
]
