"""A model that is to be measured: known at once, loaded when something must be computed."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ostro.config import Geometry
from ostro.engine.llm import LLM
from ostro.engine.load import chosen_context, load, locate
from ostro.runtime.environment import Environment
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.prepared import content_key
from ostro.weights.rope_choice import rope_choice, stretched

_CONCURRENCY = 32
"""Contexts that keys and values get room for, where memory allows it."""
# What else of the arguments decides what a model answers.
_COMPUTING = ("dtype", "device", "cache_type", "rope_scaling")


@dataclass(frozen=True)
class Subject:
    """A model under measurement."""

    name: str
    key: str
    """What tells its weights and how they are computed from others."""
    geometry: Geometry
    context: int
    """Tokens that it may read at once."""
    load: Callable[[], LLM] = field(repr=False, compare=False)

    @cached_property
    def llm(self) -> LLM:
        """The model itself. What was measured before needs none."""
        return self.load()


def open_subject(
    model: str, *, environment: Environment, progress: Progress, **arguments: Any
) -> Subject:
    """Find a model by name or path, and look at it; ``arguments`` are those of ``ostro.load``."""
    located = locate(model, environment, progress)
    checkpoint = open_checkpoint(located.path)
    rope = arguments.get("rope_scaling")
    geometry = stretched(checkpoint.geometry, None if rope is None else rope_choice(rope))
    context = chosen_context(arguments.get("context"), geometry, located.name)

    def load_it() -> LLM:
        llm = load(
            located.path,
            environment=environment,
            progress=progress,
            concurrency=_CONCURRENCY,
            **arguments,
        )
        llm.name = located.name
        return llm

    key = _key(content_key(checkpoint), arguments)
    return Subject(located.name, key, geometry, context, load_it)


def _key(content: str, arguments: dict[str, Any]) -> str:
    computing = {name: str(arguments[name]) for name in _COMPUTING if arguments.get(name)}
    if computing.get("device") == "cpu":
        del computing["device"]
    if not computing:
        return content
    digest = hashlib.sha256(json.dumps(computing, sort_keys=True).encode()).hexdigest()
    return f"{content}-{digest[:8]}"
