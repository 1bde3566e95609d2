"""The Mixtral definition: read :mod:`ostro.model.mixtral` top to bottom."""

from ostro.model.cache import PAGE_SLOTS, KVCache, PagedKVCache
from ostro.model.mixtral import Mixtral
from ostro.model.pack import Pack
from ostro.model.router_record import LayerRouting, RouterRecord
from ostro.model.step_options import (
    RowOptions,
    StepOptions,
    WholeStep,
    row_options,
    step_options,
)

__all__ = [
    "PAGE_SLOTS",
    "KVCache",
    "LayerRouting",
    "Mixtral",
    "Pack",
    "PagedKVCache",
    "RouterRecord",
    "RowOptions",
    "StepOptions",
    "WholeStep",
    "row_options",
    "step_options",
]
