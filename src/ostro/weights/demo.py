"""The demo: SmolLM2-135M-Instruct, upcycled to eight experts of which a token uses two."""

from pathlib import Path

from ostro.runtime.environment import Environment
from ostro.runtime.files import file_lock, whole_directory
from ostro.runtime.progress import Progress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.dense_parent import fetch_dense_parent
from ostro.weights.layouts import GGUF
from ostro.weights.store import model_folder, write_record
from ostro.weights.tokenizer_files import TokenizerFiles
from ostro.weights.upcycle import upcycle

DEMO = "demo"
DEMO_PARENT = "demo-parent"
_FILE = "demo-8x135M.Q4_1.gguf"


def prepare_demo(
    environment: Environment, progress: Progress, dense_parent: Path | None = None
) -> Path:
    """The demo's folder; made if it is missing. ``dense_parent`` is the file, if already here."""
    folder = model_folder(environment, DEMO)
    with file_lock(environment.home / "demo.lock", waiting_for="preparing the demo model"):
        if folder.exists():
            return folder
        parent = demo_parent(environment, progress, dense_parent)
        checkpoint = open_checkpoint(parent)
        with whole_directory(folder) as temporary:
            write_model(
                upcycle(checkpoint, num_experts=8, top_k=2, seed=0),
                TokenizerFiles.beside(checkpoint.path),
                temporary / _FILE,
                layout=GGUF,
                kind=None,
                progress=progress,
                name="ostro demo: SmolLM2-135M-Instruct upcycled to 8 experts, top-2",
            )
            write_record(temporary, source=f"upcycled from {parent.name}, seed 0")
    return folder


def demo_parent(
    environment: Environment, progress: Progress, local_file: Path | None = None
) -> Path:
    """The dense model that the demo was made of; fetched if it is missing."""
    return fetch_dense_parent(
        environment.home / "parents",
        pip_args=environment.pip_args,
        progress=progress,
        local_file=local_file,
    )
