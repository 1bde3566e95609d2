"""Make .venv and install ostro and what it needs: ``python3 scripts/install.py chat``.

Instead of ``chat``, ``serve`` adds what the server needs, ``train`` what training needs,
``evaluate`` what measuring needs, and ``dev`` what tests and checks need.

Runs on the system's own Python with nothing but the standard library. When nothing has changed
since the last run it returns at once. Whatever stops it half-way (no network, a full disk,
Ctrl-C), running it again mends the state: a .venv that was not finished is made anew, and pip's
cache keeps what was already downloaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import install_native
from install_native import find_toolchain, library_path
from install_pip import InstallError, Pip, PipProgress, environment_words, run
from install_steps import Steps
from install_torch import TORCH, choose_torch

ROOT = Path(__file__).resolve().parent.parent
# What each kind of installation needs, beside requirements/pip.txt.
KINDS = {
    "chat": ("chat.txt", "build.txt"),
    "serve": ("chat.txt", "build.txt", "serve.txt"),
    "train": ("chat.txt", "build.txt", "train.txt"),
    "evaluate": ("chat.txt", "build.txt", "train.txt", "evaluate.txt"),
    "dev": ("chat.txt", "build.txt", "serve.txt", "train.txt", "evaluate.txt", "dev.txt"),
}
OLDEST, NEWEST = (3, 11), (3, 13)


def check_python(version: tuple[int, ...], has_venv: bool) -> None:
    """Refuse a Python that cannot make the environment, and say which one can."""
    if not OLDEST <= version[:2] <= NEWEST:
        found = ".".join(str(part) for part in version[:2])
        raise InstallError(
            f"ostro runs on Python 3.11 to 3.13 and this is {found}; name another one: "
            "make chat PYTHON=python3.11"
        )
    if not has_venv:
        raise InstallError(
            "Python's venv module is missing; install the package python3-venv "
            "(on Debian: apt-get install python3-venv) and run the same command again"
        )


def has_venv_module() -> bool:
    """Debian ships venv without ensurepip until python3-venv is installed."""
    from importlib.util import find_spec

    return find_spec("venv") is not None and find_spec("ensurepip") is not None


def fingerprint(root: Path, kind: str) -> str:
    """A hash of all that decides what is installed: pins, the package's own table, the place."""
    import tomllib

    digest = hashlib.sha256(str(root).encode())
    for name in ("pip.txt", *KINDS[kind]):
        digest.update((root / "requirements" / name).read_bytes())
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {key: settings[key] for key in ("build-system", "project")}
    wanted["build"] = settings["tool"]["scikit-build"]
    digest.update(json.dumps(wanted, sort_keys=True).encode())
    return digest.hexdigest()


class Stamp:
    """``.venv/ostro.json``: says that this script made .venv, and what was installed to the end.

    Beside the fingerprint of each kind, ``native`` is that of the native library's sources and
    ``library`` says whether they could be built.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / ".venv" / "ostro.json"

    def read(self) -> dict[str, str] | None:
        """The entries; None where there is no stamp, which means: not made here."""
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}  # Cut off while it was written: made here, and nothing finished.
        return entries if isinstance(entries, dict) else {}

    def write(self, entries: dict[str, str]) -> None:
        """Replace the stamp."""
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")

    def is_current(self, kind: str) -> bool:
        """Whether ``kind`` was installed to the end from the files as they are now."""
        finished = (self.read() or {}).get(kind) == fingerprint(self.root, kind)
        return finished and (self.root / ".venv" / "bin" / "ostro").exists()

    def is_native_current(self, kind: str, compiler: str | None) -> bool:
        """Whether the native library is that of the sources, or known not to be buildable."""
        entries = self.read() or {}
        if entries.get("native") != install_native.native_fingerprint(self.root, compiler):
            return False
        missing_is_final = kind != "dev" or not install_native.is_supported()
        return library_path(self.root).exists() or (
            missing_is_final and entries.get("library") == "none"
        )


def make_environment(root: Path, stamp: Stamp, log: Path, steps: Steps) -> None:
    """Make .venv, or keep the one that an earlier run finished."""
    environment = root / ".venv"
    entries = stamp.read()
    if entries is None and environment.exists() and any(environment.iterdir()):
        raise InstallError(
            f"{environment} is there already and was not made by this script; "
            "move it away and run the same command again"
        )
    python = environment / "bin" / "python"
    if entries and python.exists():
        stamp.write({})  # Unfinished from here on.
        return
    shutil.rmtree(environment, ignore_errors=True)
    stamp.write({})
    run([sys.executable, "-m", "venv", str(environment)], log, "make .venv", tick=steps.refresh)


def install_packages(root: Path, kind: str, pip: Pip, steps: Steps) -> None:
    """Install pip and the pinned dependencies, in two steps."""
    requirements = root / "requirements"
    steps.start("Updating pip and asking it which torch it has for this machine")
    pip.install(["-r", str(requirements / "pip.txt")], "update pip", tick=steps.refresh)
    choice = choose_torch(root, pip, steps)

    names = [str(requirements / name) for name in KINDS[kind]]
    wanted = sum(count_pins(Path(name)) for name in names)
    progress = PipProgress(packages=wanted, megabytes=choice.megabytes)
    steps.expect(seconds=choice.seconds)
    steps.start(f"Installing torch and {wanted - 1} packages", progress.fraction)
    options = [word for name in names for word in ("-r", name)]
    what = "install the pinned packages"
    pip.install([*options, *choice.words], what, tick=steps.refresh, on_line=progress.feed)


def install_ostro(root: Path, kind: str, pip: Pip, steps: Steps) -> dict[str, str]:
    """Install ostro itself and build its native library; what the stamp should say of that.

    For ``dev`` a library that cannot be built is a mistake; else it is a line that says so.
    """
    toolchain = find_toolchain()
    supported = install_native.is_supported()
    wanted = toolchain.missing if supported else []
    steps.expect(seconds=6 + sum(install_native.TOOL_SECONDS[name] for name in wanted))
    steps.start("Installing ostro and building its native kernels")
    # What an earlier build left must not pass for the result of this one.
    library_path(root).unlink(missing_ok=True)
    options = ["--no-deps", "--no-build-isolation", "--editable", str(root)]
    variables: dict[str, str] = {}
    if supported and has_tools(root, kind, wanted, pip, steps):
        variables = install_native.build_variables(root, toolchain, required=kind == "dev")
        if install_native.is_stale(root, variables["CXX"], root / "build" / "native"):
            options += ["--config-settings", "cmake.fresh=true"]
    else:
        options += ["--config-settings", "wheel.cmake=false"]
    pip.install(options, "install ostro", tick=steps.refresh, variables=variables)
    built = library_path(root).exists()
    if not built:
        steps.say(install_native.notice(root, toolchain.compiler))
    return {
        "native": install_native.native_fingerprint(root, toolchain.compiler),
        "library": "built" if built else "none",
    }


def has_tools(root: Path, kind: str, wanted: list[str], pip: Pip, steps: Steps) -> bool:
    """Whether all build tools are there, after fetching those that the system lacks."""
    if not wanted:
        return True
    what = f"install {' and '.join(wanted)}"
    try:
        pip.install(install_native.tool_pins(root, wanted), what, tick=steps.refresh)
    except InstallError:
        if kind == "dev":
            raise
        return False
    return True


def count_pins(path: Path) -> int:
    """The packages that a requirements file pins."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum("==" in line for line in lines if not line.startswith("#"))


def install(root: Path, kind: str, steps: Steps, pip_args: str) -> None:
    """Bring .venv up to date for ``kind`` and stamp it."""
    check_python(sys.version_info[:3], has_venv_module())
    stamp = Stamp(root)
    whole = not stamp.is_current(kind)
    if not whole and stamp.is_native_current(kind, find_toolchain().compiler):
        return
    log = root / "build" / "install.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    pip = Pip(root / ".venv" / "bin" / "python", log, environment_words(pip_args))
    if whole:
        install_whole(root, kind, pip, steps, log)
    else:
        steps.only("ostro")
        stamp.write({**(stamp.read() or {}), **install_ostro(root, kind, pip, steps)})
    steps.finish()


def install_whole(root: Path, kind: str, pip: Pip, steps: Steps, log: Path) -> None:
    """All steps, from .venv to ostro itself."""
    stamp = Stamp(root)
    steps.start("Making .venv")
    before = stamp.read()
    make_environment(root, stamp, log, steps)
    try:
        install_packages(root, kind, pip, steps)
        native = install_ostro(root, kind, pip, steps)
    except InstallError:
        # pip undoes what it could not finish, so what worked before still does (without a
        # network, say). A signal gives it no such chance: then .venv is made anew.
        stamp.write(before or {})
        raise
    # The larger set contains the smaller one.
    covered = [name for name, files in KINDS.items() if set(files) <= set(KINDS[kind])]
    stamp.write({**{name: fingerprint(root, name) for name in covered}, **native})


def main(arguments: list[str]) -> int:
    """Run the installation; mistakes and interruptions end in one line and a code."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        print(f"usage: python3 scripts/install.py {'|'.join(KINDS)}", file=sys.stderr)
        return 2
    steps = Steps([("venv", 4), ("pip", 6), (TORCH, 90), ("ostro", 6)])
    try:
        install(ROOT, arguments[0], steps, os.environ.get("PIP_ARGS", ""))
    except InstallError as error:
        steps.close()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        steps.close()
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
