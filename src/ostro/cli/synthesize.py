"""``ostro synthesize``: a model of random weights, for measuring speed."""

from pathlib import Path

from ostro.cli.output import print_json
from ostro.config import format_bytes, format_count, weight_type
from ostro.config.arithmetic import count_parameters
from ostro.runtime.progress import TerminalProgress
from ostro.weights.synthesize import synthetic, write_synthetic


def run(
    preset: str,
    target: Path,
    kind: str,
    layers: int | None,
    context: int | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Write a model of the geometry ``preset`` in the weight type ``kind``."""
    source = synthetic(preset, weight_type(kind), layers=layers, context=context, seed=seed)
    name = f"{preset}, {source.geometry.num_layers} layers, random weights, seed {seed}"
    written = write_synthetic(source, target, name=name, progress=TerminalProgress())
    counts = count_parameters(source.geometry)
    if as_json:
        print_json({**vars(written), "path": str(written.path), "parameters": counts.total})
    else:
        print(
            f"{written.path}: {format_count(counts.total)} random parameters, "
            f"{written.tensors} tensors, {format_bytes(written.bytes)}"
        )
