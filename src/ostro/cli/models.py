"""``ostro pull``, ``ostro list`` and ``ostro remove``: the models on this machine."""

from pathlib import Path

from ostro.cli.output import print_json, print_rows
from ostro.config import format_bytes
from ostro.errors import CheckpointError, OstroError
from ostro.runtime.environment import Environment
from ostro.runtime.progress import TerminalProgress
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.demo import DEMO, prepare_demo
from ostro.weights.hub import pull
from ostro.weights.prepared import all_prepared, remove_all_prepared, remove_prepared
from ostro.weights.store import find_model, list_models, remove_model


def run_pull(
    hub_id: str, revision: str | None, dense_parent: Path | None, *, as_json: bool
) -> None:
    """Download a model, or prepare the demo."""
    environment, progress = Environment.read(), TerminalProgress()
    if hub_id == DEMO:
        path = prepare_demo(environment, progress, dense_parent)
    elif dense_parent is not None:
        raise OstroError("--dense-parent belongs to 'ostro pull demo' alone")
    else:
        path = pull(environment, hub_id, progress=progress, revision=revision)
    if as_json:
        print_json({"model": hub_id, "path": str(path)})
    else:
        print(f"{hub_id} is here: {path}")


def run_list(*, as_json: bool) -> None:
    """Show name, size and source of every model."""
    environment = Environment.read()
    models = list_models(environment)
    prepared = sum(path.stat().st_size for path in all_prepared(environment.prepared))
    if prepared:
        # Of a file that was moved or deleted since, nothing else would tell.
        TerminalProgress().note(
            f"prepared weights, made anew when wanted: {format_bytes(prepared)}; "
            "'ostro remove --prepared' frees them"
        )
    if as_json:
        print_json([{**vars(model), "path": str(model.path)} for model in models])
    elif models:
        print_rows(
            (model.name, f"{format_bytes(model.bytes):>8}  {model.source}") for model in models
        )
    else:
        print("no models yet; 'ostro pull demo' makes the first")


def run_remove(model: str | None, *, prepared: bool, as_json: bool) -> None:
    """Delete a model, or all prepared weights, and say what that freed."""
    environment = Environment.read()
    if (model is None) != prepared:
        raise OstroError("name a model to remove, or --prepared for what was made of all of them")
    if model is None:
        freed = remove_all_prepared(environment.prepared)
    else:
        freed = _remove_prepared(environment, model) + remove_model(environment, model)
    if as_json:
        print_json({"model": model, "freed_bytes": freed})
    else:
        print(f"removed {model or 'prepared weights'}; {format_bytes(freed)} are free again")


def _remove_prepared(environment: Environment, model: str) -> int:
    """Delete what was prepared from a model. Of a damaged model nothing can be prepared."""
    folder = find_model(environment, model)
    if folder is None:
        return 0
    try:
        return remove_prepared(open_checkpoint(folder), environment.prepared)
    except CheckpointError:
        return 0
