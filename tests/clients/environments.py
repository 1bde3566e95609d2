"""Clients as people install them: each in a virtual environment of its own, from exact pins.

They are kept in ``build/clients`` of the checkout, so that only a first run needs pip.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from ostro.runtime.files import file_lock

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).parent / "requirements"
FOLDER = ROOT / "build" / "clients"
# What pip says before it gives up on a network, and never about a pin that does not exist.
_NO_NETWORK = ("Retrying (", "Connection to ", "ConnectionError", "Could not fetch URL")


class NoNetworkError(Exception):
    """The client is not here yet and cannot be fetched."""


def interpreter(client: str, pip_args: Sequence[str]) -> Path:
    """The Python of the environment that has ``client``, such as ``openai-3.57.0``.

    It is made where it isn't there, or where the pins are others now.
    """
    pins = REQUIREMENTS / f"{client}.txt"
    folder = FOLDER / client
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    with file_lock(FOLDER / f"{client}.lock", waiting_for=f"installing {client}"):
        stamp = folder / "ostro-pins"
        wanted = hashlib.sha256(f"{sys.version}\n{pins.read_text()}".encode()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, symlinks=sys.platform != "win32")
            _install(python, pins, pip_args)
            stamp.write_text(wanted)
    return python


def _install(python: Path, pins: Path, pip_args: Sequence[str]) -> None:
    """With the pip of this environment, which spares the other one of its own."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-r", str(pins)]
    command += ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", *pip_args]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return
    said = (done.stderr or done.stdout).strip()
    if any(words in said for words in _NO_NETWORK):
        raise NoNetworkError(f"no network to fetch {pins.stem}: {said.splitlines()[-1]}")
    raise RuntimeError(f"pip could not install {pins.stem}: {said[-2000:]}")
