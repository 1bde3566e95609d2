"""What form an answer must have: any JSON object, a JSON schema, a regular expression, a choice.

These are descriptions only: hashable, comparable, free of the library that enforces them. They
become masks over the vocabulary in :mod:`ostro.engine.grammar`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ostro.errors import OstroError


@dataclass(frozen=True)
class JsonObject:
    """Any JSON object."""


@dataclass(frozen=True)
class JsonSchema:
    """JSON that a schema describes (draft 2020-12, as far as it can be enforced)."""

    text: str
    """The schema as JSON. The order of its properties is the order in the answer."""

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> "JsonSchema":
        """The format for a schema in Python's own types; one that is not JSON is an error."""
        if not isinstance(schema, Mapping):
            raise OstroError("a JSON schema must be an object")
        try:
            return cls(json.dumps(schema, allow_nan=False))
        except RecursionError:
            raise OstroError("the JSON schema is nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise OstroError(f"the JSON schema is not JSON: {error}") from error


@dataclass(frozen=True)
class Regex:
    r"""Text that a regular expression matches from its first character to its last.

    The syntax is that of Rust's ``regex``, without look-around; ``\d`` is 0 to 9.
    """

    pattern: str


@dataclass(frozen=True)
class Choice:
    """One of several texts, word for word."""

    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.options or not all(self.options):
            raise OstroError("a choice needs at least one option, and none may be empty")


@dataclass(frozen=True)
class Lark:
    """A grammar in Lark's notation: what a tool's format is written in, never a user's own text.

    Its first rule is called ``answer`` and begins with no space. Names of ``schemas`` are rules
    that match JSON of that schema; ``<[5]>`` is the special token number 5.
    """

    rules: str
    schemas: tuple[tuple[str, JsonSchema], ...] = ()

    @classmethod
    def around(cls, before: str, schema: JsonSchema, after: str = "") -> "Lark":
        """Literal text, JSON of a schema, literal text."""
        parts = [lark_literal(before)] if before else []
        parts += ["json"]
        parts += [lark_literal(after)] if after else []
        return cls(f"answer: {' '.join(parts)}", (("json", schema),))


OutputFormat = JsonObject | JsonSchema | Regex | Choice | Lark


def lark_literal(text: str) -> str:
    """``text`` as a literal of a Lark grammar."""
    # U+007F is the one control character that JSON leaves as it is and the grammar's lexer refuses.
    return json.dumps(text).replace("\x7f", "\\u007f")


def lark_choice(options: Sequence[str]) -> str:
    """The right side of a rule that matches one of ``options``."""
    return " | ".join(map(lark_literal, options))
