"""``ostro chat mixtral``: which published file this machine can use, and getting it."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ostro.cli.options import Running
from ostro.cli.output import note
from ostro.config import PRESETS, Geometry, Plan, format_bytes, make_plan
from ostro.engine.planning import compute_type, runs_natively
from ostro.errors import MemoryPlanError, NetworkError, OstroError
from ostro.runtime.bandwidth import read_bandwidth
from ostro.runtime.environment import Environment
from ostro.runtime.memory import read_memory
from ostro.runtime.progress import TerminalProgress
from ostro.runtime.settings import usable_cores
from ostro.weights.catalogue import CATALOGUE, PublishedFile, choose, published
from ostro.weights.hub import pull
from ostro.weights.rope_choice import rope_choice, stretched
from ostro.weights.store import find_model

# What a plan is made for where no context is asked for: a long conversation, not the limit.
_CONTEXT = 4096


def is_published_name(model: str, environment: Environment) -> bool:
    """Whether ``model`` is a name like ``mixtral`` and not something that is here already."""
    here = Path(model).exists() or find_model(environment, model) is not None
    return model in CATALOGUE and not here


def propose(name: str, environment: Environment, running: Running, *, yes: bool) -> tuple[str, int]:
    """Show the published files, choose the best that fits, and pull it.

    Returns the model's name in the store and the context that the choice was planned for.
    """
    context = running.context or _CONTEXT
    memory = read_memory().available
    threads = running.threads or environment.threads or usable_cores()
    bandwidth = read_bandwidth(environment.home, threads)
    files = published(name)
    rope = None if running.rope_scaling is None else rope_choice(running.rope_scaling)
    geometries = {file.preset: stretched(PRESETS[file.preset], rope) for file in files}
    plans = {
        file.pull_id: _plan(file, geometries[file.preset], context, memory, bandwidth)
        for file in files
    }
    here = [file for file in files if find_model(environment, file.pull_id) is not None]
    chosen = choose(here, memory, lambda file: plans[file.pull_id].required_bytes)
    if chosen is not None:
        return chosen.pull_id, context
    _show(files, plans, memory)
    open_to_all = [f for f in files if environment.hub_token or not f.needs_account]
    chosen = choose(open_to_all, memory, lambda file: plans[file.pull_id].required_bytes)
    if chosen is None:
        least = min(plan.required_bytes for plan in plans.values())
        raise MemoryPlanError(
            f"none of these fits: quantised weights are dequantised when loaded, so {name} takes "
            f"{format_bytes(least)} and {format_bytes(memory)} are free; 'ostro chat demo' runs"
        )
    _ask(chosen, yes=yes)
    _pull(chosen, environment)
    return chosen.pull_id, context


def _plan(
    file: PublishedFile, geometry: Geometry, context: int, memory: int, bandwidth: float
) -> Plan:
    return make_plan(
        geometry,
        model=file.pull_id,
        stored=file.weight_type,
        compute=compute_type(file.weight_type, native=runs_natively(geometry)),
        stored_bytes=file.bytes,
        memory_bytes=memory,
        read_bandwidth=bandwidth,
        context=context,
    )


def _show(files: list[PublishedFile], plans: dict[str, Plan], memory: int) -> None:
    table = Table(title=f"{files[0].model} in {format_bytes(memory)} of free memory")
    for heading in ("file", "type", "size", "fits", "tokens/s, at most", "perplexity"):
        table.add_column(heading, overflow="fold")
    for file in files:
        plan = plans[file.pull_id]
        table.add_row(
            file.pull_id,
            file.quantisation,
            format_bytes(file.bytes),
            "yes" if plan.fits else "no",
            f"{plan.decode_tokens_per_second_ceiling:.2g}",
            "" if file.perplexity is None else f"{file.perplexity:.3f}",
        )
    console = Console(stderr=True)
    # Piped output has no width of its own; file names should stay on one line there.
    console.width = console.width if console.is_terminal else max(console.width, 160)
    console.print(table)
    for text in sorted({file.note for file in files if file.note}):
        note(f"  some of these: {text}")


def _ask(file: PublishedFile, *, yes: bool) -> None:
    question = f"Download {file.pull_id} ({format_bytes(file.bytes)})?"
    if yes:
        note(question.replace("Download", "Downloading").removesuffix("?"))
    elif not sys.stdin.isatty():
        raise OstroError(f"{question} There is no terminal to ask; give --yes")
    elif input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise OstroError("nothing was downloaded")


def _pull(file: PublishedFile, environment: Environment) -> None:
    try:
        pull(environment, file.pull_id, progress=TerminalProgress())
    except NetworkError as error:
        names = ", ".join(file.files) or "all its safetensors and json files"
        raise NetworkError(
            f"{error}; without a hub: fetch {names} of {file.hub_id} by other means and give the "
            f"path to 'ostro chat', or put it into {environment.models / 'NAME'}"
        ) from error
