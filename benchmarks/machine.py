"""What every benchmark prints first: hardware, versions, commit."""

import platform
import subprocess
import sys
from pathlib import Path

import torch

from ostro.runtime.environment import Environment
from ostro.runtime.settings import usable_cores

# Those that decide which kernels an engine has; the names are the Linux kernel's.
_FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8")


def describe() -> str:
    """One line for the head of a result."""
    root = Path(__file__).parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{_processor()} ({' '.join(features()) or 'features unknown'}), "
        f"{threads_to_use()} threads, torch {torch.__version__}, "
        f"Python {sys.version.split()[0]}, commit {commit or 'unknown'}"
    )


def threads_to_use() -> int:
    """``OSTRO_THREADS``, or every core this process may use."""
    return Environment.read().threads or usable_cores()


def default_cache() -> Path:
    """Where benchmarks keep models, peers and programs, unless they are told otherwise."""
    return Environment.read().home / "benchmarks"


def features(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The vector extensions that this processor shows to programs."""
    present = set(_field(cpuinfo, "flags").split())
    return [name for name in _FEATURES if name in present]


def _processor() -> str:
    name = _field(Path("/proc/cpuinfo"), "model name")
    return name or platform.processor() or platform.machine() or "CPU"


def _field(cpuinfo: Path, name: str) -> str:
    """The first line of that name; empty where there is none."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ""
    return next((x.partition(":")[2].strip() for x in lines if x.startswith(name)), "")
