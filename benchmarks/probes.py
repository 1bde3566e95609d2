"""What the machine itself can do, measured by small native programs: the bounds of the table."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ostro.runtime.bandwidth import probe_bandwidth

_SOURCES = Path(__file__).parent / "native"
_PROBE_MEBIBYTES = 1024


def read_bandwidth(cache: Path, threads: int) -> float:
    """Bytes per second, the better of one thread and all; through torch without a compiler."""
    program = compiled("read_bandwidth", cache)
    if program is None:
        return max(probe_bandwidth(1), probe_bandwidth(threads))
    counts = sorted({1, threads})
    return max(float(_run(program, count, _PROBE_MEBIBYTES)) for count in counts)


def int8_peaks(cache: Path, threads: int) -> dict[str, float]:
    """Operations per second of each chain of integer instructions; empty without a compiler."""
    program = compiled("int8_peak", cache)
    lines = [] if program is None else _run(program, threads).splitlines()
    return {name: float(speed) for name, speed in (line.split() for line in lines)}


def compiled(name: str, cache: Path) -> Path | None:
    """The program made of ``native/NAME.cpp``, compiled where it is missing or older."""
    source, program = _SOURCES / f"{name}.cpp", cache / "bin" / name
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = _compiler()
    if not compiler:
        return None
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / name
        command = [*compiler, "-O3", "-std=c++20", "-pthread", str(source), "-o", str(made)]
        if subprocess.run(command, check=False).returncode:
            return None
        made.replace(program)
    return program


def _compiler() -> list[str]:
    """The system's C++ compiler, or the one of zig's wheel as for the kernels; or none."""
    found = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if found is not None:
        return [found]
    return [sys.executable, "-m", "ziglang", "c++"] if find_spec("ziglang") else []


def _run(program: Path, *arguments: int) -> str:
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
