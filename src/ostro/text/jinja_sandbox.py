"""Chat templates run in a sandbox: no code, no endless loops, no gigantic strings.

A template comes with downloaded weights, so it is not to be trusted.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ostro.errors import OstroError

# Turns of loops and calls of macros in one rendering, and characters that an operator may make.
MOST_STEPS = 1_000_000
MOST_ITEMS = 1 << 24

Render = Callable[[Mapping[str, Any]], str]


def compile_template(source: str) -> Render:
    """A function that renders ``source`` with the variables it is given.

    Both raise :class:`~ostro.errors.OstroError` for a template that is wrong, runs for too long,
    tries to run code, or refuses what it was given.
    """
    environment = _environment()
    environment.filters["tojson"] = _to_json
    # A name that no template can know, so that none can replace the counter.
    step = f"step_{secrets.token_hex(8)}"
    try:
        template = environment.from_string(_Counted(step).visit(environment.parse(source)))
    except (TemplateError, RecursionError) as error:
        raise OstroError(f"the model's chat template is not valid: {_line(error)}") from error

    def render(variables: Mapping[str, Any]) -> str:
        helpers = {"raise_exception": _refuse, "strftime_now": _now, step: _Budget()}
        try:
            return template.render({**variables, **helpers})
        except _Refused as error:
            raise OstroError(f"the model's chat template refuses this: {_line(error)}") from None
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise OstroError(f"the model's chat template fails: {_line(error)}") from error
        except (RecursionError, MemoryError, AttributeError) as error:
            raise OstroError(f"the model's chat template fails: {_line(error)}") from error

    return render


def free_variables(source: str) -> frozenset[str]:
    """Names that a valid template takes from outside."""
    environment = _environment()
    return frozenset(meta.find_undeclared_variables(environment.parse(source)))


class _Refused(Exception):
    """What a template raises by itself."""


class _Budget:
    """Counts the steps of one rendering."""

    def __init__(self) -> None:
        self.left = MOST_STEPS

    def __call__(self) -> str:
        self.left -= 1
        if self.left < 0:
            raise SecurityError(f"it takes more than {MOST_STEPS} steps")
        return ""


class _Counted(NodeTransformer):
    """Puts a step of the budget in front of every loop's and macro's body."""

    def __init__(self, step: str) -> None:
        self._step = step

    def visit_For(self, node: nodes.For) -> nodes.Node:
        return self._counted(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._counted(node)

    def _counted(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        call = nodes.Call(nodes.Name(self._step, "load"), [], [], None, None)
        node.body.insert(0, nodes.Output([call]).set_lineno(node.lineno))
        result: nodes.Node = node
        return result


class _Sandbox(ImmutableSandboxedEnvironment):
    """Operators that could make something gigantic are looked at first."""

    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(x) if isinstance(x, str | list | tuple) else x for x in (left, right)]
        if operator == "**" and not all(abs(size) < 64 for size in sizes):
            raise SecurityError("a power of more than 64")
        if operator == "*" and abs(sizes[0] * sizes[1]) > MOST_ITEMS:
            raise SecurityError(f"more than {MOST_ITEMS} items")
        return super().call_binop(context, operator, left, right)


class _GenerationBlocks(Extension):
    """``{% generation %}`` marks an assistant's words for training; here it marks nothing."""

    tags = {"generation"}  # noqa: RUF012  # Jinja wants a set.

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> _Sandbox:
    return _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _GenerationBlocks]
    )


def _refuse(message: object) -> NoReturn:
    raise _Refused(str(message))


def _now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter escapes HTML, which no model was trained on."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())
