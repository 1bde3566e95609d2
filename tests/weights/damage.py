"""Damage done to a file: the fuzz target for the GGUF and safetensors readers.

Run it for as long as you like: ``python tests/weights/damage.py SECONDS``. It makes a tiny model
in both containers, damages copies, and stops at the first that is neither read nor refused with a
CheckpointError.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import torch

from ostro.errors import OstroError
from ostro.kernels.dispatch import torch_kernels
from ostro.runtime.progress import SilentProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.load import load_model


def damaged(data: bytes, rng: random.Random, reach: int) -> bytes:
    """A copy with a few random changes, most of them in the first ``reach`` bytes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(min(reach, len(changed)))
        match rng.randrange(6):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del changed[at : at + rng.randint(1, 16)]
            case 3:
                changed[at:at] = rng.randbytes(rng.randint(1, 16))
            case 4:
                changed[at : at + 8] = rng.choice((0, 2**31, 2**63, 2**64 - 1)).to_bytes(
                    8, "little"
                )
            case 5:
                del changed[rng.randrange(len(changed)) :]
        if not changed:
            break
    return bytes(changed)


def load(path: Path) -> None:
    """Read everything."""
    load_model(
        open_checkpoint(path),
        torch_kernels(),
        dtype=torch.float32,
        device=torch.device("cpu"),
        progress=SilentProgress(),
    )


def read_or_refuse(path: Path) -> bool:
    """Whether the model can be read; False where it was refused as it should be."""
    try:
        load(path)
    except OstroError as error:
        if "\n" in str(error):
            raise AssertionError("the error is not one line") from error
        return False
    return True


def tiny_files(folder: Path) -> dict[Path, Path]:
    """A tiny model as GGUF and as safetensors: the model's path, and the file to be damaged."""
    from tiny import save_gguf, save_tiny

    hf = save_tiny(folder / "hf")
    gguf = save_gguf(folder / "tiny.gguf", hf, "Q4_1")
    return {gguf: gguf, hf: hf / "model.safetensors"}


def fuzz(folder: Path, seconds: float, seed: int) -> tuple[int, int]:
    """Damage files for ``seconds``; how many were tried, and how many of them were refused."""
    rng, stop = random.Random(seed), time.monotonic() + seconds
    targets = {path: (file, file.read_bytes()) for path, file in tiny_files(folder).items()}
    tried = refused = 0
    while time.monotonic() < stop:
        for path, (file, whole) in targets.items():
            # A new file each time: the one before may still be mapped.
            file.unlink()
            file.write_bytes(damaged(whole, rng, reach=6000))
            tried += 1
            refused += not read_or_refuse(path)
    return tried, refused


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    with tempfile.TemporaryDirectory() as name:
        print(fuzz(Path(name), float(sys.argv[1]), int(time.time())))
