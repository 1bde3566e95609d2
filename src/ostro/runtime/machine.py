"""The machine that something was measured on, in words: hardware and versions."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ostro.runtime.memory import read_memory
from ostro.runtime.settings import usable_cores

# Those that decide which kernels run; the names are the Linux kernel's.
_FEATURES = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8")
_CPUINFO = Path("/proc/cpuinfo")


def describe_machine(cpuinfo: Path = _CPUINFO) -> str:
    """One line: processor, the cores that this process may use, memory, system, versions."""
    features = " ".join(vector_extensions(cpuinfo)) or "features unknown"
    return (
        f"{_processor(cpuinfo)} ({features}), {usable_cores()} cores, "
        f"{read_memory().total / 2**30:.1f} GiB, {platform.system()} {platform.machine()}, "
        f"torch {torch.__version__}, Python {sys.version.split()[0]}, {_own_version()}"
    )


def vector_extensions(cpuinfo: Path = _CPUINFO) -> list[str]:
    """Those that the processor shows to programs; none where that is not known."""
    flags = set(_field(cpuinfo, "flags").split())
    return [feature for feature in _FEATURES if feature in flags]


def _processor(cpuinfo: Path) -> str:
    name = _field(cpuinfo, "model name")
    return name or platform.processor() or platform.machine() or "CPU"


def _own_version() -> str:
    try:
        return f"ostro {version('ostro')}"
    except PackageNotFoundError:
        return "ostro from its sources, not installed"


def _field(cpuinfo: Path, name: str) -> str:
    """The first line of that name; empty where there is none."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
