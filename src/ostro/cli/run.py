"""``ostro run``: a server for the time that a program takes, with the program pointed at it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ostro.cli.options import Running
from ostro.errors import OstroError
from ostro.runtime.environment import Environment, process_variables
from ostro.runtime.extras import require_extra
from ostro.runtime.progress import TerminalProgress
from ostro.server.launch import child_variables, find_program, ready_client, run_program
from ostro.server.legacy_client import look_at, provide

if TYPE_CHECKING:  # It would import the whole server before the program is looked at.
    from ostro.server.serve import RunningServer

FETCH = (
    *(sys.executable, "-c", "from ostro.cli.main import main; main()"),
    "fetch-client",
)
"""The command that a program's Python calls, with its own path added, when it needs 0.4.2."""


def run(model: str, command: Sequence[str], running: Running) -> None:
    """Run ``command`` while a server answers it, and exit with its code."""
    require_extra("fastapi", "serve")
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


def _start(model: str, running: Running, environment: Environment) -> "RunningServer":
    """A server that answers."""
    from ostro.engine.load import load
    from ostro.server.serve import RunningServer
    from ostro.server.serve_options import ServeOptions

    options = ServeOptions(port=0)
    llm = load(
        model, environment=environment, concurrency=options.concurrency, **running.arguments()
    )
    return RunningServer(llm, options)
