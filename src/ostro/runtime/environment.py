"""Environment variables and the folders they decide: read once, passed to whoever needs them."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ostro.errors import OstroError

DEFAULT_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Launch:
    """What ``torchrun`` tells each process that it starts."""

    rank: int
    """``RANK``: this process's number among all."""
    ranks: int
    """``WORLD_SIZE``: how many there are."""
    local_rank: int
    """``LOCAL_RANK``: its number on this machine."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What ostro takes from the environment."""

    home: Path
    """``OSTRO_HOME``, or the user's data directory: models and what can be rebuilt from them."""
    hub_endpoint: str = DEFAULT_HUB
    """``HF_ENDPOINT``: the hub that ``ostro pull`` talks to."""
    hub_token: str | None = None
    """``HF_TOKEN``: for models that ask for an account."""
    memory: str | None = None
    """``OSTRO_MEMORY``: what a process may take, such as ``8GiB``; unset means what is free."""
    threads: int | None = None
    """``OSTRO_THREADS``: compute threads; unset means every core this process may use."""
    pip_args: tuple[str, ...] = ()
    """``PIP_ARGS``: extra arguments for pip where it fetches something for ostro."""
    launch: Launch | None = None
    """None unless ``torchrun`` started this process."""

    @property
    def models(self) -> Path:
        """The folder of downloaded and prepared models."""
        return self.home / "models"

    @property
    def prepared(self) -> Path:
        """The folder of weights packed for the native kernels; all of it can be rebuilt."""
        return self.home / "prepared"

    @property
    def evaluations(self) -> Path:
        """The folder of what was measured; all of it can be measured again."""
        return self.home / "evaluations"

    @property
    def clients(self) -> Path:
        """The folder of Mistral's earlier client for programs that lack it; it can be refetched."""
        return self.home / "clients"

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> "Environment":
        """Read ``variables`` (default: this process's). A value that makes no sense is an error."""
        env = os.environ if variables is None else variables
        threads = env.get("OSTRO_THREADS")
        if threads and not (threads.isdecimal() and int(threads) > 0):
            raise OstroError(f"OSTRO_THREADS must be a whole number above 0, not {threads!r}")
        return cls(
            home=_home(env),
            hub_endpoint=(env.get("HF_ENDPOINT") or DEFAULT_HUB).rstrip("/"),
            hub_token=env.get("HF_TOKEN") or None,
            memory=env.get("OSTRO_MEMORY") or None,
            threads=int(threads) if threads else None,
            pip_args=_words("PIP_ARGS", env.get("PIP_ARGS", "")),
            launch=_launch(env),
        )


def process_variables() -> dict[str, str]:
    """A copy of this process's variables, for those of a child to start from."""
    return dict(os.environ)


def _launch(env: Mapping[str, str]) -> Launch | None:
    values = [env.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if not all(value.isdecimal() for value in values):
        return None
    return Launch(*map(int, values))


def _words(name: str, value: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise OstroError(f"cannot read {name}={value!r}: {error}") from error


def _home(env: Mapping[str, str]) -> Path:
    if env.get("OSTRO_HOME"):
        return Path(env["OSTRO_HOME"]).expanduser().absolute()
    user = Path(env["HOME"]) if env.get("HOME") else Path.home()
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "ostro"
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or user / "AppData" / "Local") / "ostro"
    return Path(env.get("XDG_DATA_HOME") or user / ".local" / "share") / "ostro"
