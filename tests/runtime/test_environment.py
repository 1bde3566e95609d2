"""Environment variables: what each means, and what makes no sense."""

from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime.environment import DEFAULT_HUB, Environment


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostro.runtime.environment.sys.platform", "linux")


def test_nothing_set_gives_the_defaults() -> None:
    env = Environment.read({"HOME": "/home/ann"})
    assert env.home == Path("/home/ann/.local/share/ostro")
    assert env.models == env.home / "models"
    assert env.hub_endpoint == DEFAULT_HUB
    assert (env.hub_token, env.threads, env.pip_args) == (None, None, ())


def test_the_home_is_the_first_that_is_set() -> None:
    variables = {"HOME": "/home/ann", "XDG_DATA_HOME": "/data"}
    assert Environment.read(variables).home == Path("/data/ostro")
    assert Environment.read(variables | {"OSTRO_HOME": "/models"}).home == Path("/models")
    assert Environment.read({"HOME": "/h", "OSTRO_HOME": "here"}).home == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("darwin", "/home/ann/Library/Application Support/ostro"),
        ("win32", "/home/ann/AppData/Local/ostro"),
    ],
)
def test_other_systems_keep_data_elsewhere(
    monkeypatch: pytest.MonkeyPatch, platform: str, folder: str
) -> None:
    monkeypatch.setattr("ostro.runtime.environment.sys.platform", platform)
    assert Environment.read({"HOME": "/home/ann"}).home == Path(folder)


def test_the_hub_and_its_token() -> None:
    env = Environment.read({"HF_ENDPOINT": "http://127.0.0.1:9/", "HF_TOKEN": "secret"})
    assert (env.hub_endpoint, env.hub_token) == ("http://127.0.0.1:9", "secret")


def test_an_empty_variable_is_an_unset_one() -> None:
    names = ("OSTRO_HOME", "HF_ENDPOINT", "HF_TOKEN", "OSTRO_THREADS", "PIP_ARGS", "XDG_DATA_HOME")
    empty = Environment.read({"HOME": "/home/ann", **dict.fromkeys(names, "")})
    assert empty == Environment.read({"HOME": "/home/ann"})


def test_threads_must_be_a_number_above_zero() -> None:
    assert Environment.read({"OSTRO_THREADS": "3"}).threads == 3
    for wrong in ("0", "-1", "two", "1.5", "²"):
        with pytest.raises(OstroError, match=f"OSTRO_THREADS must be .* not '{wrong}'"):
            Environment.read({"OSTRO_THREADS": wrong})


def test_pip_arguments_are_read_as_a_shell_would() -> None:
    env = Environment.read({"PIP_ARGS": "--no-index --find-links '/a b/c'"})
    assert env.pip_args == ("--no-index", "--find-links", "/a b/c")
    with pytest.raises(OstroError, match="cannot read PIP_ARGS="):
        Environment.read({"PIP_ARGS": "'open"})


def test_this_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTRO_HOME", "/somewhere")
    assert Environment.read().home == Path("/somewhere")
