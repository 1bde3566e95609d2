"""An environment of its own for each peer, made once and kept in the benchmark's cache."""

import os
import shlex
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """An engine to compare with: what pip installs, and the script that speaks for it."""

    name: str
    requirements: tuple[str, ...]
    script: str
    built: bool = False
    """Compiled here, for this processor, which takes minutes; else a wheel for any processor."""
    batches: bool = True
    """Whether several sequences can be given to one step."""
    repack: bool = True
    """Whether weights are rearranged while they are loaded; without, they stay as in the file."""

    @property
    def folder_name(self) -> str:
        """Changes with the requirements, so that an old environment is not taken for a new one."""
        how = ("native",) if self.built else ()
        return "-".join((*self.requirements, *how)).replace("==", "-")


_IK, _LLAMA_CPP = ("ik-llama-cpp-python==0.1.5",), ("llama-cpp-python==0.3.36",)
# The wheels are made for any processor with AVX2. Built here, the fork reads prompts faster where
# the processor has more than that, and fastest from weights as they lie in the file.
PEERS = (
    Peer("ik_llama.cpp", _IK, "ik_worker.py"),
    Peer("ik_llama.cpp native", _IK, "ik_worker.py", built=True),
    Peer("ik_llama.cpp native, not repacked", _IK, "ik_worker.py", built=True, repack=False),
    Peer("llama.cpp native", _LLAMA_CPP, "llama_cpp_worker.py", built=True),
    Peer("llama.cpp", ("xllamacpp==2026.10.11549",), "xllamacpp_worker.py", batches=False),
)


def python_of(peer: Peer, cache: Path, note: Callable[[str], None]) -> Path:
    """The peer's interpreter. Made on first use; a failure leaves nothing and says why."""
    folder = cache / "peers" / peer.folder_name
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if ready.exists():
        return python
    how = "compiling it here takes some minutes" if peer.built else "once"
    note(f"installing {' '.join(peer.requirements)} for {peer.name} ({how})")
    venv.create(folder, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *_pip_arguments(peer)]
    done = subprocess.run(
        [*command, *peer.requirements],
        capture_output=True,
        text=True,
        env={**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=ON"},
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise PeerMissing(f"{peer.name}: {reason}")
    ready.touch()
    return python


class PeerMissing(Exception):
    """A peer that could not be installed; the message is why."""


def _pip_arguments(peer: Peer) -> list[str]:
    """What the user wants of pip, and that a built peer is not taken from a wheel."""
    names = ",".join(requirement.partition("==")[0] for requirement in peer.requirements)
    wanted = ["--no-binary", names, "--no-cache-dir"] if peer.built else []
    return [*wanted, *shlex.split(os.environ.get("PIP_ARGS", ""))]


def this_python() -> Path:
    """The interpreter that ostro runs in."""
    return Path(sys.executable)
