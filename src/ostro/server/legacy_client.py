"""Mistral's client 0.4.2 for Pythons that lack it: a look at a Python, and a cache.

The Prompt Engineering Guide imports ``mistralai.client.MistralClient``, which every later version
lacks. The cache has a folder for each version, ABI and platform of Python, written whole or not at
all. How a program comes to use it is told in ``child_site/ostro_legacy.py``.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ostro.errors import NetworkError, OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.files import file_lock, whole_directory
from ostro.runtime.progress import Progress

CHILD_SITE = Path(__file__).with_name("child_site")
"""What goes first on the PYTHONPATH of a program."""
VERSION = "0.4.2"
# All that it needs, with wheels for every Python from 3.9 to 3.14.
PINS = (
    f"mistralai=={VERSION}",
    "annotated-types==0.7.0",
    "anyio==4.12.1",
    "certifi==2026.10.18",
    "exceptiongroup==1.3.1",
    "h11==0.16.0",
    "httpcore==1.0.9",
    "httpx==0.28.1",
    "idna==3.11",
    "orjson==3.11.4",
    "pydantic==2.12.5",
    "pydantic-core==2.41.5",
    "typing-extensions==4.15.0",
    "typing-inspection==0.4.2",
)
LEAST_PYTHON = (3, 9)
_PROBE_SECONDS = 20
_PROBE = (
    "import json, sys; sys.path.insert(0, sys.argv.pop()); import ostro_legacy as legacy; "
    "del sys.path[0]; print(json.dumps(legacy.describe()))"
)
_ERROR_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class ChildPython:
    """A Python that a program runs in."""

    executable: str
    tag: str
    """Its version, ABI and platform: which compiled modules it can load."""
    version: tuple[int, int]
    has_pip: bool
    mistralai: str | None
    """The version of ``mistralai`` in it."""
    has_legacy_client: bool
    """Whether that one is 0.4.2 or older."""


def cache_folder(environment: Environment) -> Path:
    """The folder with one folder for each kind of Python; other pins have another one."""
    pins = hashlib.sha256("\n".join(PINS).encode()).hexdigest()[:8]
    return environment.clients / f"mistralai-{VERSION}-{pins}"


def look_at(executable: str, variables: Mapping[str, str]) -> ChildPython | None:
    """Ask a Python what it is and has; None if it does not answer or is older than 3.8."""
    try:
        done = subprocess.run(
            [executable, "-c", _PROBE, str(CHILD_SITE)],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=True,
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return ChildPython(executable=executable, **answer | {"version": tuple(answer["version"])})


def provide(
    python: ChildPython,
    environment: Environment,
    variables: Mapping[str, str],
    progress: Progress,
) -> Path:
    """The folder of 0.4.2 and all it needs for ``python``; pip fetches it if it is not there."""
    folder = cache_folder(environment) / python.tag
    if folder.exists():
        return folder
    label = f"mistralai {VERSION} for Python {'.'.join(map(str, python.version))}"
    if python.version < LEAST_PYTHON:
        raise OstroError(f"there is no {label}; use Python 3.9 or newer")
    with file_lock(environment.clients / "clients.lock", waiting_for=f"fetching {label}"):
        if not folder.exists():
            progress.note(f"fetching {label} into {folder} (once)")
            with whole_directory(folder) as temporary:
                _install(python, temporary, environment.pip_args, variables)
    return folder


def _install(
    python: ChildPython, target: Path, pip_args: Sequence[str], variables: Mapping[str, str]
) -> None:
    """Let the Python's own pip install into ``target``, or ostro's in its name."""
    pip = [python.executable, "-m", "pip", "install"]
    if not python.has_pip:
        version = ".".join(map(str, python.version))
        pip = [sys.executable, "-m", "pip", "install", "--python-version", version]
    command = [
        *(*pip, "--target", str(target), "--no-deps", "--only-binary", ":all:", "--no-user"),
        *("--quiet", "--no-input", "--disable-pip-version-check", *PINS, *pip_args),
    ]
    done = subprocess.run(
        command,
        env={**variables, "PIP_REQUIRE_VIRTUALENV": "0"},  # Nothing is put into the Python itself.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise NetworkError(
            f"pip could not fetch mistralai {VERSION}, which this program was written for "
            f"({_reason(done.stdout)}); name a folder of wheels in "
            f"PIP_ARGS='--no-index --find-links FOLDER', or run where mistralai=={VERSION} "
            "is installed"
        )


def _reason(output: str) -> str:
    """What kept pip from it: no connection, else its last line of error, or its last line."""
    if "WARNING: Retrying (" in output:  # It goes on to say that there is no such package.
        return "there is no connection to the package index"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    last = (errors or lines or ["no reason given"])[-1]
    return last.removeprefix("ERROR:").strip()[:_ERROR_CHARACTERS]
