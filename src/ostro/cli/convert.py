"""``ostro convert`` and ``ostro upcycle``: write a model."""

from collections.abc import Sequence
from pathlib import Path

from ostro.cli.output import note, print_json
from ostro.config import format_bytes, format_count, weight_type
from ostro.config.arithmetic import count_parameters
from ostro.engine.load import locate
from ostro.kernels.quantise import Quantiser, open_quantiser
from ostro.kernels.quantise_twin import quantise_twin
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.runtime.settings import choose_settings
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import Checkpoint, open_checkpoint
from ostro.weights.convert import Written, writable_layout, write_model
from ostro.weights.dequantised import Dequantised
from ostro.weights.merge_adapter import Merged
from ostro.weights.rope_theta import WithRopeTheta
from ostro.weights.source import SlotSource
from ostro.weights.tokenizer_files import TokenizerFiles
from ostro.weights.upcycle import upcycle


def run_convert(
    source: str,
    target: Path,
    to: str,
    kind: str | None,
    adapters: Sequence[Path],
    *,
    rope_theta: float | None,
    as_json: bool,
) -> None:
    """Write ``source`` in the layout ``to``; without ``kind`` every weight keeps its type.

    What ``adapters`` add is merged in, one after another. Of a quantised model that needs ``kind``:
    the sums are taken in float32, and stored anew. ``rope_theta`` is what positions turn by then.
    """
    checkpoint, wanted = _open(source), None if kind is None else weight_type(kind)
    model: SlotSource = checkpoint
    if adapters:
        model = checkpoint if wanted is None else Dequantised(checkpoint)
    for adapter in adapters:
        model = Merged(model, read_adapter(adapter, checkpoint.geometry))
    if rope_theta is not None:
        model = WithRopeTheta(model, rope_theta)
    written = write_model(
        model,
        TokenizerFiles.beside(checkpoint.path),
        target,
        layout=writable_layout(to, checkpoint.geometry),
        kind=wanted,
        progress=TerminalProgress(),
        name=checkpoint.path.stem,
        quantise=quantise_twin if wanted is None or wanted.is_dense else choose_quantiser(None),
        after_tensor=checkpoint.release_pages,
    )
    tell_written(written, as_json)


def run_upcycle(
    dense: str, target: Path, experts: int, top_k: int, seed: int, *, as_json: bool
) -> None:
    """Write a mixture made of ``dense`` in the layout and types of its parent."""
    parent = _open(dense)
    mixture = upcycle(parent, num_experts=experts, top_k=top_k, seed=seed)
    written = write_model(
        mixture,
        TokenizerFiles.beside(parent.path),
        target,
        layout=writable_layout(parent.layout.name, mixture.geometry),
        kind=None,
        progress=TerminalProgress(),
        name=f"{parent.path.stem}, upcycled to {experts} experts, top-{top_k}",
    )
    counts = count_parameters(mixture.geometry)
    note(f"{format_count(counts.total)} parameters, {format_count(counts.active)} active a token")
    tell_written(written, as_json)


def choose_quantiser(threads: int | None) -> Quantiser:
    """The quantiser for this machine; where it is the plain one, a line says why."""
    settings = choose_settings(threads=threads or Environment.read().threads)
    quantiser, obstacle = open_quantiser(settings.threads)
    if obstacle is not None:
        note(f"{obstacle.notice} (quantised plainly, a model also keeps less of itself)")
    return quantiser


def _open(model: str) -> Checkpoint:
    return open_checkpoint(locate(model, Environment.read(), TerminalProgress()).path)


def tell_written(written: Written, as_json: bool) -> None:
    """Say what was written: one line, or one JSON document."""
    if as_json:
        print_json({**vars(written), "path": str(written.path)})
    else:
        print(
            f"{written.path}: {written.tensors} tensors, {format_bytes(written.bytes)}, "
            f"layout {written.layout}"
        )
