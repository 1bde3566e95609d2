"""Looking at a Python, and filling the cache of Mistral's client 0.4.2 for it."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fake_mistralai import write_legacy, write_three
from ostro.errors import NetworkError, OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import SilentProgress, TerminalProgress
from ostro.server import legacy_client
from ostro.server.child_site import ostro_legacy
from ostro.server.legacy_client import PINS, ChildPython, cache_folder, look_at, provide
from wheels import write_wheel

HERE = ChildPython(
    executable=sys.executable,
    tag="some-tag",
    version=(sys.version_info[0], sys.version_info[1]),
    has_pip=True,
    mistralai=None,
    has_legacy_client=False,
)


def offline(tmp_path: Path, wheels: Path) -> Environment:
    """An environment in which pip sees a folder of wheels alone."""
    arguments = ("--no-index", "--find-links", str(wheels))
    return Environment(home=tmp_path / "home", pip_args=arguments)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for pin in PINS:
        write_wheel(folder, pin)
    return folder


def test_a_python_is_looked_at(tmp_path: Path) -> None:
    empty = {**os.environ, "PYTHONPATH": ""}
    python = look_at(sys.executable, empty)
    assert python is not None
    assert (python.executable, python.version) == (sys.executable, sys.version_info[:2])
    assert (python.tag, python.has_pip) == (ostro_legacy.tag(), True)
    assert (python.mistralai, python.has_legacy_client) == (None, False)


@pytest.mark.parametrize(
    ("write", "version", "legacy"), [(write_legacy, "0.4.2", True), (write_three, "3.7.0", False)]
)
def test_the_client_of_a_python_is_seen(tmp_path: Path, write, version: str, legacy: bool) -> None:
    write(tmp_path)
    python = look_at(sys.executable, {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert python is not None
    assert (python.mistralai, python.has_legacy_client) == (version, legacy)


def test_what_is_no_python_is_not_looked_at() -> None:
    assert look_at("/bin/echo", {}) is None
    assert look_at("/nowhere/python", {}) is None


@pytest.mark.parametrize("has_pip", [True, False])
def test_the_cache_is_filled_once(
    tmp_path: Path, wheels: Path, has_pip: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = offline(tmp_path, wheels)
    python = replace(HERE, has_pip=has_pip)
    # What a user's own settings may say must not matter.
    variables = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "1", "PIP_USER": "1"}
    folder = provide(python, environment, variables, TerminalProgress())
    assert folder == cache_folder(environment) / "some-tag"
    assert (folder / "mistralai.py").exists()
    assert (folder / "pydantic_core.py").exists()
    assert f"fetching mistralai 0.4.2 for Python 3.{python.version[1]}" in capsys.readouterr().err
    unreachable = replace(environment, pip_args=("--no-index",))
    assert provide(python, unreachable, variables, TerminalProgress()) == folder
    assert capsys.readouterr().err == ""


def test_nothing_is_left_behind_where_pip_fails(tmp_path: Path) -> None:
    environment = offline(tmp_path, tmp_path)
    with pytest.raises(NetworkError, match=r"PIP_ARGS='--no-index --find-links FOLDER'") as caught:
        provide(HERE, environment, os.environ, SilentProgress())
    assert "No matching distribution found for mistralai==0.4.2" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(cache_folder(environment).iterdir()) == []


def test_no_connection_is_called_that(tmp_path: Path) -> None:
    python = tmp_path / "python"
    warning = "WARNING: Retrying (Retry(total=0)) after connection broken by NewConnectionError"
    missing = "ERROR: No matching distribution found for mistralai==0.4.2"
    python.write_text(f"#!/bin/sh\necho '{warning}'\necho '{missing}'\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(NetworkError, match="there is no connection to the package index"):
        provide(
            replace(HERE, executable=str(python)), offline(tmp_path, tmp_path), {}, SilentProgress()
        )


def test_a_python_that_is_too_old_is_told_so(tmp_path: Path) -> None:
    environment = offline(tmp_path, tmp_path)
    with pytest.raises(OstroError, match=r"for Python 3\.8; use Python 3\.9 or newer"):
        provide(replace(HERE, version=(3, 8)), environment, {}, SilentProgress())


def test_other_pins_have_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = offline(tmp_path, tmp_path)
    before = cache_folder(environment)
    monkeypatch.setattr(legacy_client, "PINS", (*PINS, "more==1"))
    assert cache_folder(environment) != before
