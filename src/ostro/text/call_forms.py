"""How models write calls: what stands before the JSON of a call, after it, and in it."""

from dataclasses import dataclass
from typing import Literal

ToolFormat = Literal["mistral", "tagged", "json"]
"""Formats that a model's own template may have."""


@dataclass(frozen=True, kw_only=True)
class CallForm:
    """One way to write calls.

    ``begin`` and ``end`` are what a model was trained to write around the JSON; they are read with
    any white space around them.
    """

    begin: str = ""
    end: str = ""
    is_control: bool = False
    """Only the control token ``begin`` begins calls; the same in letters is text."""
    anywhere: bool = False
    """Text may precede the calls; otherwise the answer's beginning decides."""
    lists: bool = False
    """Several calls stand in a list; otherwise, if ever, one after another."""
    single: bool = True
    """One call stands by itself; otherwise in a list of one."""
    arguments: str = "arguments"
    """The key of the arguments."""
    has_ids: bool = False
    """A call may carry its id, of 9 letters and digits."""
    known_names_only: bool = False
    """JSON is a call only if it names a function there is: nothing else tells it from an answer."""


GENERIC = CallForm(begin="<tool_call>\n", end="\n</tool_call>", lists=True)
"""For models that have no form of their own.

The answer's first characters decide between text and a call. The mark is what several families of
models were trained on, also small ones, and unlike a brace or a code fence it never begins an
ordinary answer; so text can be shown from its first character on.
"""


def call_form(tool_format: ToolFormat | None) -> CallForm:
    """The form of a native format; :data:`GENERIC` for None."""
    if tool_format == "mistral":
        return CallForm(
            begin="[TOOL_CALLS]",
            is_control=True,
            anywhere=True,
            lists=True,
            single=False,
            has_ids=True,
        )
    if tool_format == "tagged":
        return CallForm(begin=GENERIC.begin, end=GENERIC.end, anywhere=True)
    if tool_format == "json":
        return CallForm(lists=True, arguments="parameters", known_names_only=True)
    return GENERIC
