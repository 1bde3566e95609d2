"""ostro: Mixtral, whole, on hardware you own.

>>> import ostro
>>> llm = ostro.load("demo")
>>> llm.chat([{"role": "user", "content": "What is the capital of France?"}]).text
"""

from typing import TYPE_CHECKING, Any

from ostro.errors import OstroError

if TYPE_CHECKING:
    from ostro.engine.engine import Engine
    from ostro.engine.llm import LLM
    from ostro.engine.load import load
    from ostro.engine.output_format import Choice, JsonObject, JsonSchema, Regex

__version__ = "0.1.0"
__all__ = [
    "LLM",
    "Choice",
    "Engine",
    "JsonObject",
    "JsonSchema",
    "OstroError",
    "Regex",
    "__version__",
    "load",
]

_LAZY = {
    "load": "ostro.engine.load",
    "LLM": "ostro.engine.llm",
    "Engine": "ostro.engine.engine",
    **dict.fromkeys(("Choice", "JsonObject", "JsonSchema", "Regex"), "ostro.engine.output_format"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: ``import ostro`` must stay instant."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'ostro' has no attribute {name!r}")
