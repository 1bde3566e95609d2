"""What builds the native library here, and which of it pip has to bring.

CMake, ninja and a C++ compiler come from the system where it has them and as wheels where it has
not. Without any of them ostro runs all the same, on plain PyTorch.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OLDEST_CMAKE = (3, 21)
COMPILERS = ("c++", "g++", "clang++")
ZIG = "ziglang"
# Seconds to fetch and install each tool; zig also compiles its C++ library once.
TOOL_SECONDS = {"cmake": 6.0, "ninja": 1.0, ZIG: 100.0}
SOURCES = ("CMakeLists.txt", "cmake", "src/ostro/kernels/native", "requirements/tools.txt")


@dataclass(frozen=True)
class Toolchain:
    """What of the system's own is used."""

    compiler: str | None
    """The C++ compiler's path, or what ``CXX`` says; None where zig's has to do."""
    cmake: str | None
    ninja: str | None

    @property
    def missing(self) -> list[str]:
        """The packages of requirements/tools.txt that make up for what the system lacks."""
        has = {"cmake": self.cmake, "ninja": self.ninja, ZIG: self.compiler}
        return [name for name, path in has.items() if path is None]


def is_supported() -> bool:
    """Whether there are native kernels for this processor and system."""
    processor = platform.machine() in ("x86_64", "AMD64")
    return processor and sys.platform in ("linux", "darwin")


def find_toolchain(variables: Mapping[str, str] | None = None) -> Toolchain:
    """Look for the tools in ``variables`` (default: the environment)."""
    env = os.environ if variables is None else variables
    path = env.get("PATH")
    found = [shutil.which(name, path=path) for name in COMPILERS]
    cmake = shutil.which("cmake", path=path)
    return Toolchain(
        compiler=env.get("CXX") or next(filter(None, found), None),
        cmake=cmake if cmake and cmake_version(cmake) >= OLDEST_CMAKE else None,
        ninja=shutil.which("ninja", path=path),
    )


def cmake_version(program: str) -> tuple[int, int]:
    """The version that ``program`` tells; (0, 0) if it doesn't."""
    try:
        command = [program, "--version"]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0, 0
    numbers = re.search(r"version (\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def library_path(root: Path) -> Path:
    """Where the build puts the library; ``src/ostro/kernels/library.py`` looks there."""
    suffix = "dylib" if sys.platform == "darwin" else "so"
    return root / "src" / "ostro" / "kernels" / f"libostro.{suffix}"


def native_fingerprint(root: Path, compiler: str | None) -> str:
    """A hash of all that decides how the library comes out: its sources, and who compiles them."""
    digest = hashlib.sha256(f"{is_supported()} {compiler}".encode())
    for name in SOURCES:
        place = root / name
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.is_file():
                digest.update(f"\n{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def tool_pins(root: Path, names: list[str]) -> list[str]:
    """The lines of requirements/tools.txt for ``names``."""
    lines = (root / "requirements" / "tools.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.partition("==")[0] in names]


def zig_compiler(environment: Path) -> Path:
    """Make a C++ compiler of the wheel: one file to call, for the plainest x86-64 processor.

    zig would otherwise compile for this very processor, what is meant for all of them included.
    """
    program = environment / "bin" / "zig-c++"
    python = shlex.quote(str(environment / "bin" / "python"))
    program.write_text(f'#!/bin/sh\nexec {python} -m {ZIG} c++ -mcpu=baseline "$@"\n')
    program.chmod(0o755)
    return program


def build_variables(root: Path, toolchain: Toolchain, *, required: bool) -> dict[str, str]:
    """Environment variables for the build. ``required``: a failure stops the installation."""
    variables = {"OSTRO_REQUIRE_NATIVE": "1"} if required else {}
    if toolchain.compiler is not None:
        return {**variables, "CXX": toolchain.compiler}
    cache = str(root / "build" / "zig")
    zig = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    return {**variables, **zig, "CXX": str(zig_compiler(root / ".venv"))}


def is_stale(root: Path, compiler: str, folder: Path) -> bool:
    """Whether the build ``folder`` remembers another compiler, place or generator.

    CMake keeps what it was first configured with, also when that is no longer there.
    """
    try:
        text = (folder / "CMakeCache.txt").read_text(encoding="utf-8")
    except OSError:
        return False
    cache = dict(re.findall(r"^(CMAKE_\w+):\w+=(.*)$", text, re.MULTILINE))
    program = shlex.split(compiler)[0]
    expected = {
        "CMAKE_CXX_COMPILER": shutil.which(program) or program,
        "CMAKE_HOME_DIRECTORY": str(root),
        "CMAKE_GENERATOR": "Ninja",
    }
    return any(cache.get(name) != value for name, value in expected.items())


def notice(root: Path, compiler: str | None) -> str:
    """What to say where the library was not built, with ``compiler`` or for want of one."""
    if not is_supported():
        return f"There are no native kernels for {platform.machine()}; plain PyTorch runs."
    log = root / "build" / "install.log"
    mend = f"the reason is in {log}" if compiler else "install g++ and run the same command again"
    return f"The native kernels could not be built; plain PyTorch runs, more slowly: {mend}."
