"""A model that is to be measured: known at once, loaded when something must be computed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ostro.config import Geometry
from ostro.engine.llm import LLM


@dataclass(frozen=True)
class Subject:
    """A model under measurement."""

    name: str
    key: str
    """What tells its weights and how they are computed from others: see ``content_key``."""
    geometry: Geometry
    context: int
    """Tokens that it may read at once."""
    load: Callable[[], LLM] = field(repr=False, compare=False)

    @cached_property
    def llm(self) -> LLM:
        """The model itself. What was measured before needs none."""
        return self.load()
