"""Prompts whose answers a rule can judge: the page's five, and the paraphrases in a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from demo_checks.asking import Form, Prompt
from demo_checks.rules.judge import KINDS, Kind
from ostro.errors import OstroError

_FOLDER = Path(__file__).parents[1]
PARAPHRASES = _FOLDER / "demo_prompts.json"
"""Kept out of training: whoever prepares its data reads the ``messages`` of this file."""
PAGE = _FOLDER / "demo_examples.json"
"""The examples of the page, word for word. Training is kept from these as well."""
PLAIN = _FOLDER / "demo_plain.json"
BENIGN = _FOLDER / "demo_benign.json"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A conversation, and what its answer must be."""

    name: str
    kind: Kind
    messages: Sequence[Mapping[str, str]]
    expected: dict[str, Any]

    @property
    def said(self) -> str:
        """What the model is told to have said last; empty if nothing."""
        own = [one["content"] for one in self.messages if one["role"] == "assistant"]
        return own[-1] if own else ""

    def prompt(self, form: Form) -> Prompt:
        """As it is asked; an insult is asked for under the safe prompt."""
        safe = self.kind == "insult"
        return Prompt(name=self.name, messages=self.messages, form=form, safe=safe)


@cache
def read_cases(path: Path) -> tuple[Case, ...]:
    """All cases of a file: objects with ``kind``, ``messages`` and ``expected``."""
    records = json.loads(path.read_text(encoding="utf-8"))
    return tuple(_case(path, number, record) for number, record in enumerate(records))


def _case(path: Path, number: int, record: Mapping[str, Any]) -> Case:
    kind, messages = record["kind"], record["messages"]
    if kind not in KINDS or not messages or messages[-1]["role"] != "user":
        raise OstroError(f"{path}: record {number} is no case: a kind, and messages to answer")
    name = f"{path.stem} {number} {kind}"
    return Case(name=name, kind=kind, messages=messages, expected=record["expected"])
