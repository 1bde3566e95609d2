"""What pydantic found wrong, in words that follow the name of the field.

``temperature`` and ``must be at most 2`` make a sentence; so does ``foo`` and ``is unknown``.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

_MOST_TOLD = 20
_MOST_NAME = 100
_SUBJECT = re.compile(r"^(Input|List|String|Dictionary|Value) should ")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Place = tuple[str | int, ...]


def refusal(kind: LiteralString, words: str, *place: str | int) -> PydanticCustomError:
    """An error to raise in a validator.

    ``words`` follow the field's name. ``place`` leads to the culprit from where the validator
    stands, as a model's validator stands above its fields.
    """
    return PydanticCustomError(kind, "{words}", {"words": words, "place": place})


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a body."""

    place: Place
    words: str
    kind: str

    @property
    def param(self) -> str | None:
        """The field as ``messages[0].content``; None if it is the body itself."""
        return path(self.place) or None

    def to_dict(self) -> dict[str, Any]:
        """The form that the newer Mistral clients read."""
        loc = [_short(part) if isinstance(part, str) else part for part in self.place]
        return {"loc": ["body", *loc], "msg": self.words, "type": self.kind}


def describe_errors(error: ValidationError) -> list[Problem]:
    """The first problems that were found, at least one."""
    found = error.errors(include_url=False, include_input=False)
    return [
        Problem((*one["loc"], *one.get("ctx", {}).get("place", ())), _words(one), one["type"])
        for one in found[:_MOST_TOLD]
    ]


def path(place: Sequence[str | int]) -> str:
    """``a.b[0]`` of ``("a", "b", 0)``; a key that is no plain name stands in quotes."""
    return "".join(_steps(place)).removeprefix(".")


def _steps(place: Iterable[str | int]) -> Iterable[str]:
    for part in place:
        if isinstance(part, int):
            yield f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part) and len(part) <= _MOST_NAME:
            yield f".{part}"
        else:
            yield f"[{_short(part)!r}]"


def _words(found: Any) -> str:
    if found["type"] == "missing":
        return "is required"
    words: str = _SUBJECT.sub("must ", found["msg"])
    return words.replace("a valid integer", "a whole number").replace("a valid string", "a text")


def _short(name: str) -> str:
    return name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}..."
