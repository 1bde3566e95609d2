"""``ostro quantize``: a model in fewer bits."""

from pathlib import Path

from ostro.cli.convert import choose_quantiser, tell_written
from ostro.cli.output import note
from ostro.config.arithmetic import count_parameters
from ostro.engine.load import locate
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.convert import require_full_precision, write_model
from ostro.weights.layouts import GGUF
from ostro.weights.quantisation_mix import find_mix
from ostro.weights.tokenizer_files import TokenizerFiles


def run(
    model: str, target: Path, mix_name: str, threads: int | None, *, requantise: bool, as_json: bool
) -> None:
    """Write ``model`` to the GGUF file ``target`` in the types of a mix."""
    mix = find_mix(mix_name)
    checkpoint = open_checkpoint(locate(model, Environment.read(), TerminalProgress()).path)
    if not requantise:
        require_full_precision(checkpoint)
    written = write_model(
        checkpoint,
        TokenizerFiles.beside(checkpoint.path),
        target,
        layout=GGUF,
        kind=mix,
        progress=TerminalProgress(),
        name=checkpoint.path.stem,
        quantise=choose_quantiser(threads),
        after_tensor=checkpoint.release_pages,
    )
    bits = 8 * written.bytes / count_parameters(checkpoint.geometry).total
    note(f"{mix.name}: {bits:.2f} bits a weight")
    tell_written(written, as_json)
