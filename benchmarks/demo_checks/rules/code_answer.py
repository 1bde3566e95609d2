"""Prompts for a Python function: it is run in the sandbox and gives the right results.

The program is what stands in the answer's first code fence; without one, the answer from its first
line that begins a definition or an import, as far as it parses. Of it, imports, definitions and
assignments are kept: lines that try the function out may want a keyboard. Right is an answer of
which some function at top level, called with the arguments of every test, returns what is wanted:
numbers to within 0.01, for functions that round, all else exactly. The function may have any name.
"""

import ast
import json
from collections.abc import Sequence
from typing import Any

from demo_checks.rules.fences import first_fenced
from demo_checks.rules.judgement import Judgement
from ostro.evaluation.code.sandbox import Limits, run

Test = Sequence[Any]
"""Arguments and what is wanted: ``[[100], 212]``."""

_KEPT = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)
_BEGINS = ("def ", "import ", "from ", "class ", "@")
_TRYING = """
import json as _json

def _agrees(found, wanted):
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
        return abs(found - wanted) <= 0.01
    if isinstance(found, (list, tuple)) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_agrees, found, wanted))
    return type(found) is type(wanted) and found == wanted

def _solves(function):
    try:
        return all(
            _agrees(function(*arguments), wanted) for arguments, wanted in _json.loads({tests!r})
        )
    except Exception as error:
        _errors.append(repr(error))
        return False

_errors = []
assert any(_solves(function) for function in [{names}]), (_errors or ["another result"])[0]
"""


def judge_code(answer: str, tests: Sequence[Test]) -> Judgement:
    """Whether a function of the answer passes the ``tests``."""
    tree = _parsed(answer)
    if tree is None:
        return Judgement(False, "no Python that parses")
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if not names:
        return Judgement(False, "no function")
    kept = ast.Module([node for node in tree.body if isinstance(node, _KEPT)], [])
    trying = _TRYING.format(tests=json.dumps(tests), names=", ".join(names))
    outcome = run(f"{ast.unparse(kept)}\n{trying}", Limits(cpu_seconds=5, wall_seconds=20))
    return Judgement(outcome.status == "passed", outcome.reason)


def _parsed(answer: str) -> ast.Module | None:
    fenced = first_fenced(answer)
    lines = (answer if fenced is None else fenced).splitlines()
    # A line of prose may begin as an import does.
    for start in (n for n, line in enumerate(lines) if line.startswith(_BEGINS)):
        for stop in range(len(lines), start, -1):
            try:
                return ast.parse("\n".join(lines[start:stop]))
            except (SyntaxError, ValueError):
                continue
    return None
