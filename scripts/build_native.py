"""Build the native library alone, or its test program: for who works on the C++ sources.

``python3 scripts/build_native.py`` builds the library into the checkout, as ``make native`` does.
``python3 scripts/build_native.py test address,undefined thread`` builds the test program once for
each set of sanitizers and runs it, as ``make sanitize`` does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from install_native import build_variables, find_toolchain, is_stale, is_supported
from install_pip import InstallError

ROOT = Path(__file__).resolve().parent.parent
# Sanitizers report and stop at the first error.
SANITIZER_VARIABLES = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


class Build:
    """CMake in one build folder."""

    def __init__(self, folder: str) -> None:
        self.folder = ROOT / "build" / folder
        bin_folders = [str(ROOT / ".venv" / "bin"), os.environ.get("PATH", os.defpath)]
        self.env = {**os.environ, "PATH": os.pathsep.join(bin_folders)}
        toolchain = find_toolchain(self.env)
        lacking = [name for name in ("cmake", "ninja") if getattr(toolchain, name) is None]
        if lacking:
            raise InstallError(f"{' and '.join(lacking)} missing; `make dev` brings what is needed")
        if toolchain.compiler is None and not has_zig():
            raise InstallError("there is no C++ compiler; install g++, or run `make install`")
        self.ninja = toolchain.ninja
        self.env |= build_variables(ROOT, toolchain, required=True)

    def run(self, target: str, *options: str) -> None:
        """Configure with ``options`` and build ``target``."""
        if is_stale(ROOT, self.env["CXX"], self.folder):
            shutil.rmtree(self.folder)
        configure = ["cmake", "-S", str(ROOT), "-B", str(self.folder), "-G", "Ninja"]
        self._call([*configure, f"-DCMAKE_MAKE_PROGRAM={self.ninja}", *options], quiet=True)
        self._call(["cmake", "--build", str(self.folder), "--target", target])

    def _call(self, command: list[str], *, quiet: bool = False) -> None:
        output = subprocess.DEVNULL if quiet else None
        done = subprocess.run(command, env=self.env, stdout=output, check=False)
        if done.returncode != 0:
            raise InstallError(f"could not build in {self.folder}; its reason stands above")


def has_zig() -> bool:
    """Whether .venv has zig's compiler."""
    return any((ROOT / ".venv").glob("lib/python3*/site-packages/ziglang"))


def build_library() -> None:
    """Build the library into the checkout."""
    Build("native").run("ostro")


def run_tests(sanitizers: str) -> None:
    """Build the test program with ``sanitizers`` (none: empty) and run it."""
    build = Build(f"test-{sanitizers.replace(',', '-') or 'plain'}")
    build.run("ostro_test", "-DOSTRO_TESTS=ON", f"-DOSTRO_SANITIZE={sanitizers}")
    print(f"== native tests under {sanitizers or 'no sanitizer'}", flush=True)
    command = [*same_addresses(), str(build.folder / "ostro_test")]
    done = subprocess.run(command, env={**build.env, **SANITIZER_VARIABLES}, check=False)
    if done.returncode != 0:
        raise InstallError(f"the native tests failed under {sanitizers or 'no sanitizer'}")


def same_addresses() -> list[str]:
    """A prefix that switches the randomisation of addresses off, where that is allowed.

    Linux may scatter mappings wider than the thread sanitizer of older compilers can follow.
    """
    prefix = ["setarch", "--addr-no-randomize"]
    if shutil.which(prefix[0]) is None:
        return []
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if allowed else []


def main(arguments: list[str]) -> int:
    """Build or test; a mistake is one line and a code."""
    if not is_supported():
        print("there are no native kernels for this processor: nothing to build")
        return 0
    try:
        if arguments[:1] == ["test"]:
            for sanitizers in arguments[1:] or [""]:
                run_tests(sanitizers)
        elif not arguments:
            build_library()
        else:
            print("usage: python3 scripts/build_native.py [test [SANITIZERS ...]]", file=sys.stderr)
            return 2
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
