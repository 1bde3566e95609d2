"""``ostro run``: a server for the time that a program takes, with the program pointed at it."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from ostro.cli.options import Running
from ostro.errors import OstroError
from ostro.runtime.environment import Environment, process_variables
from ostro.runtime.progress import TerminalProgress
from ostro.server.launch import child_variables, find_program, ready_client, run_program
from ostro.server.legacy_client import look_at, provide

FETCH = (
    *(sys.executable, "-c", "from ostro.cli.main import main; main()"),
    "fetch-client",
)
"""The command that a program's Python calls, with its own path added, when it needs 0.4.2."""


def run(model: str, command: Sequence[str], running: Running) -> None:
    """Run ``command`` while a server answers it, and exit with its code."""
    environment, own = Environment.read(), process_variables()
    command = find_program(command, own)
    ready_client(command, environment, own, TerminalProgress())
    with _start(model, running, environment) as server:
        code = run_program(command, child_variables(own, server.url, environment, FETCH))
    # Not returned: main would take 130 for a Ctrl-C of ostro's own and say so.
    raise SystemExit(code)


def fetch(executable: str) -> None:
    """Put 0.4.2 for this Python into the cache, and print where."""
    own = process_variables()
    python = look_at(executable, own)
    if python is None:
        raise OstroError(f"{executable} is not a Python of 3.8 or newer")
    print(provide(python, Environment.read(), own, TerminalProgress()))


def _start(model: str, running: Running, environment: Environment) -> AbstractContextManager[Any]:
    """A server that answers; it has ``url``."""
    from ostro.engine.load import load

    serve = import_module("ostro.server.serve")
    options = import_module("ostro.server.serve_options").ServeOptions(port=0)
    llm = load(
        model, environment=environment, concurrency=options.concurrency, **running.arguments()
    )
    server: AbstractContextManager[Any] = serve.RunningServer(llm, options)
    return server
