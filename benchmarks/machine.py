"""What every benchmark prints first: hardware, versions, commit."""

import subprocess
from pathlib import Path

from ostro.runtime.environment import Environment
from ostro.runtime.machine import describe_machine
from ostro.runtime.settings import usable_cores


def describe() -> str:
    """One line for the head of a result."""
    root = Path(__file__).parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return f"{describe_machine()}, {threads_to_use()} threads, commit {commit or 'unknown'}"


def threads_to_use() -> int:
    """``OSTRO_THREADS``, or every core this process may use."""
    return Environment.read().threads or usable_cores()


def default_cache() -> Path:
    """Where benchmarks keep models, peers and programs, unless they are told otherwise."""
    return Environment.read().home / "benchmarks"
