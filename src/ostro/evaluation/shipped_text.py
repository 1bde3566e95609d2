"""The text that ostro brings along to measure a model on."""

from importlib.resources import files

TEXT_NAME = "meditations.txt"


def shipped_text() -> str:
    """A short public-domain text: from Marcus Aurelius, in George Long's translation of 1862."""
    return (files("ostro.evaluation") / TEXT_NAME).read_text(encoding="utf-8")
