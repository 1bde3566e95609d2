"""Which torch pip would install here, and whether that should be said before it is fetched.

torch's ordinary build for Linux needs gigabytes of CUDA libraries that are of no use without an
NVIDIA GPU. pip is asked first and decides nothing behind anybody's back.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from install_pip import InstallError, Pip
from install_steps import Steps

TORCH = "torch"
_CUDA_REQUIREMENT = re.compile(r"(nvidia|cuda|triton)\b")
# The packages beside torch, and torch's CPU build: what is downloaded when nothing is known.
OTHER_MEGABYTES, CPU_MEGABYTES = 110.0, 192.0


@dataclass(frozen=True)
class Package:
    """One package that pip would install."""

    name: str
    version: str
    url: str
    requires: tuple[str, ...]

    def is_cpu_torch(self, platform: str) -> bool:
        """No CUDA here: by its version (2.13.0+cpu), or because it needs no CUDA package."""
        local = self.version.partition("+")[2]
        if local:
            return local.startswith("cpu")
        # Elsewhere than on Linux the same requirements stand behind a marker that is false.
        needs_cuda = any(_CUDA_REQUIREMENT.match(line) for line in self.requires)
        return platform != "linux" or not needs_cuda


@dataclass(frozen=True)
class Choice:
    """What to add to pip's requirements, and what that will take."""

    words: tuple[str, ...] = ()
    megabytes: float = OTHER_MEGABYTES + CPU_MEGABYTES

    @property
    def seconds(self) -> float:
        """Expected, at ten megabytes a second down and twenty onto the disk."""
        return 15 + self.megabytes / 10 + self.megabytes / 20


def choose_torch(root: Path, pip: Pip, steps: Steps) -> Choice:
    """Ask pip which torch it would take; say so first if it is a needlessly large one."""
    pin = torch_pin(root)
    if is_installed(root, pin):
        return Choice(megabytes=OTHER_MEGABYTES)
    offered = torch_of(pip.report([pin, "--no-deps"]))
    if offered is None:
        return Choice()  # pip cannot say; the installation itself will tell why.
    if has_nvidia_gpu():
        return choose_for_gpu(pin, offered, pip)
    if offered.is_cpu_torch(sys.platform):
        return Choice()
    packages = packages_of(pip.report([pin])) or [offered]
    sizes = sizes_of(packages)
    steps.say(warning(packages, sizes))
    if sys.stdin.isatty() and sys.stdout.isatty():
        ask_whether_to_go_on()
    else:
        steps.say("Going on with that, since there is no terminal to ask.")
    known = sum(size for size in sizes if size is not None) / 1e6
    return Choice(megabytes=OTHER_MEGABYTES + max(known, CPU_MEGABYTES))


def choose_for_gpu(pin: str, offered: Package, pip: Pip) -> Choice:
    """With a GPU the ordinary build, unless the user said where torch comes from."""
    gigabytes = Choice(megabytes=2800.0)
    if not offered.is_cpu_torch(sys.platform) or pip.words:
        return gigabytes
    # pip ranks a local version like 2.13.0+cpu above the ordinary one; === asks for the exact name.
    exact = pin.replace("==", "===")
    ordinary = torch_of(pip.report([exact, "--no-deps"]))
    return Choice(words=(exact,), megabytes=gigabytes.megabytes) if ordinary else Choice()


def torch_pin(root: Path) -> str:
    """The line of requirements/chat.txt that pins torch."""
    for line in (root / "requirements" / "chat.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("torch=="):
            return line.strip()
    raise InstallError("requirements/chat.txt pins no torch; restore the file")


def is_installed(root: Path, pin: str) -> bool:
    """Whether .venv has that torch in any build."""
    name = pin.replace("==", "-")
    return any((root / ".venv").glob(f"lib/python3*/site-packages/{name}*.dist-info"))


def has_nvidia_gpu(proc: Path = Path("/proc/driver/nvidia")) -> bool:
    """By the driver's own traces, since nothing that could ask the GPU is installed yet."""
    return proc.exists() or shutil.which("nvidia-smi") is not None


def packages_of(report: str | None) -> list[Package]:
    """The packages in pip's installation report; none where there is no report."""
    entries = json.loads(report)["install"] if report else []
    return [
        Package(
            name=entry["metadata"]["name"],
            version=entry["metadata"]["version"],
            url=entry["download_info"]["url"],
            requires=tuple(entry["metadata"].get("requires_dist", ())),
        )
        for entry in entries
    ]


def torch_of(report: str | None) -> Package | None:
    """The entry of torch in pip's installation report, if there is one."""
    return next((p for p in packages_of(report) if p.name == TORCH), None)


def sizes_of(packages: Sequence[Package]) -> list[int | None]:
    """Bytes of each file, None where the server doesn't say."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(_size, packages))


def _size(package: Package) -> int | None:
    try:
        if package.url.startswith("file:"):
            return Path(unquote(urlsplit(package.url).path)).stat().st_size
        request = urllib.request.Request(package.url, method="HEAD")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, ValueError, TypeError):
        return None


def warning(packages: Sequence[Package], sizes: Sequence[int | None]) -> str:
    """What is about to be fetched, largest first, and how to give pip a smaller torch."""
    rows = sorted(zip(packages, sizes, strict=True), key=lambda row: -(row[1] or 0))
    width = max(len(f"{p.name} {p.version}") for p in packages)
    listing = [f"  {f'{p.name} {p.version}':{width}}  {_megabytes(size)}" for p, size in rows]
    known = sum(size for size in sizes if size is not None)
    total = f", {known / 1e9:.2f} GB" if known else ""
    return "\n".join(
        [
            "There is no NVIDIA GPU here, but the torch that pip finds is the one for CUDA. "
            f"About to be fetched: {len(packages)} packages{total}:",
            *listing,
            "A CPU build does the same here and is about ten times smaller. To use one, stop and "
            "tell pip of an index or a file that has it:",
            '  make chat PIP_ARGS="--extra-index-url <an index with CPU builds of torch>"',
            '  make chat PIP_ARGS="<a file torch-2.13.0+cpu-....whl>"',
        ]
    )


def _megabytes(size: int | None) -> str:
    return "size unknown" if size is None else f"{size / 1e6:8.1f} MB"


def ask_whether_to_go_on() -> None:
    """Anything but yes stops here, with nothing fetched."""
    try:
        answer = input("Fetch all that? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise InstallError("stopped before the download; nothing was fetched")
