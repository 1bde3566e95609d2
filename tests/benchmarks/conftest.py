"""Tiny models for the demo's checks."""

from pathlib import Path

import pytest

from tiny_chat import save_babbler
from tiny_demo import upcycled


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense model."""
    folder = tmp_path_factory.mktemp("parent") / "dense"
    return save_babbler(folder, "mistral", max_position_embeddings=1024)


@pytest.fixture(scope="module")
def copies(parent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dense model as a mixture whose experts are its copies."""
    return upcycled(parent, tmp_path_factory.mktemp("model") / "copies")
