"""``ostro batch``: requests from a file, answers into another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ostro.cli.options import Running
from ostro.cli.output import note
from ostro.engine.load import load
from ostro.runtime.extras import require_extra
from ostro.runtime.progress import TerminalProgress


def run(source: Path, target: Path, model: str, running: Running, asked: Mapping[str, Any]) -> None:
    """Answer a file of requests; ``asked`` are fields of ServeOptions."""
    require_extra("pydantic", "serve")
    from ostro.server.batch import run_batch
    from ostro.server.batch_files import BatchInput
    from ostro.server.serve_options import ServeOptions

    options = ServeOptions(**asked)
    BatchInput(source)  # Its mistakes are told before a model is loaded.
    llm = load(model, concurrency=options.concurrency, **running.arguments())
    failed = run_batch(llm, source, target, options, TerminalProgress())
    note(f"{target} is written" + (f"; {failed} requests failed, as it says" if failed else ""))
