"""Checks that run in a client's environment: their names, and what they came to."""

import ast
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clients.environments import NoNetworkError, interpreter

SCRIPTS = Path(__file__).parent / "scripts"


def checks_of(module: str) -> list[str]:
    """The names of a module's checks; it can only be imported where its client is."""
    tree = ast.parse((SCRIPTS / f"{module}.py").read_text(encoding="utf-8"))
    names = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [name for name in names if name.startswith("check_")]


Outcomes = dict[str, dict[str, Any]] | NoNetworkError
"""What checks came to, by name; or why the client is not here."""


def run_checks(
    client: str, modules: Sequence[str], world: Mapping[str, Any], pip_args: Sequence[str]
) -> Outcomes:
    """Run the checks of some modules in the client's environment."""
    try:
        python = interpreter(client, pip_args)
    except NoNetworkError as error:
        return error
    command = [python, SCRIPTS / "run.py", ",".join(modules), json.dumps(world)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["name"]: one for one in found}


def require(outcomes: Outcomes, check: str) -> None:
    """Fail as the check did; skip it where the client cannot be fetched."""
    if isinstance(outcomes, NoNetworkError):
        pytest.skip(str(outcomes))
    found = outcomes[check]
    assert found["ok"], found["detail"]
