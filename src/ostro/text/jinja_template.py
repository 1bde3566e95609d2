"""A model's own chat template, whose control tokens nobody else can write.

A template gives one text in which its control tokens are written out. Before rendering, whatever
in a message or a function looks like one is broken by a mark that occurs nowhere else; after it,
the text is cut at the unbroken ones, which are the template's own, and the marks are taken out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ostro.errors import OstroError
from ostro.text.call_forms import ToolFormat
from ostro.text.jinja_sandbox import compile_template
from ostro.text.jinja_values import (
    Change,
    all_texts,
    message_value,
    template_tool_format,
    tool_value,
)
from ostro.text.message_order import check_messages, merge_messages
from ostro.text.messages import Message
from ostro.text.piece_tokenizer import Codec
from ostro.text.special_pieces import SpecialPieces
from ostro.text.tools import Tool

# Noncharacters of Unicode: they mean nothing in any text, but may stand in one all the same.
_MARKS = [chr(number) for number in range(0xFDD0, 0xFDF0)]


class JinjaTemplate:
    """A chat template and what it needs to become token ids."""

    def __init__(
        self,
        source: str,
        codec: Codec,
        pieces: Mapping[str, int],
        names: Mapping[str, str],
    ) -> None:
        """``names`` are variables such as ``bos_token`` that the template may use."""
        self.source: str | None = source
        self._codec, self._pieces, self._names = codec, SpecialPieces(pieces), names
        self._render = compile_template(source)
        self.tool_format: ToolFormat | None = template_tool_format(source, pieces)

    def encode(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[int]:
        """Token ids up to where the assistant's next answer begins, or goes on (``prefix``)."""
        # Templates of the other formats write the calls and leave out the text.
        check_messages(messages, content_beside_calls=self.tool_format == "tagged")
        merged = merge_messages(messages)
        prefix = merged[-1].content if merged[-1].prefix else ""
        try:
            ids = self._rendered(merged[:-1] if prefix else merged, tools)
        except RecursionError:
            raise OstroError("a tool call, result or schema is nested too deeply") from None
        return ids + self._plain(prefix, after_special=True)

    def _rendered(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[int]:
        mark = _unused_mark(_variables(messages, tools, str))
        variables = _variables(messages, tools, lambda text: self._pieces.hide(text, mark))
        text = self._render({**self._names, **variables, "add_generation_prompt": True})
        # A template that writes JSON in ASCII escapes the mark.
        marks = re.compile(rf"{mark}|\\+u{ord(mark):04x}")
        ids: list[int] = []
        for part in self._pieces.split(text):
            if isinstance(part, int):
                ids.append(part)
            else:
                ids += self._plain(marks.sub("", part), after_special=bool(ids))
        return ids

    def _plain(self, text: str, *, after_special: bool) -> list[int]:
        return self._codec.encode(text, after_special=after_special) if text else []


def _variables(
    messages: Sequence[Message], tools: Sequence[Tool], change: Change
) -> dict[str, Any]:
    return {
        "messages": [message_value(message, change) for message in messages],
        "tools": [tool_value(tool, change) for tool in tools] or None,
    }


def _unused_mark(values: Any) -> str:
    """A mark that occurs nowhere, nor does its number in the way that JSON writes it."""
    everything = "\0".join(all_texts(values))
    mark = next((m for m in _MARKS if m not in everything and _number(m) not in everything), None)
    if mark is None:
        raise OstroError("a message holds every noncharacter from U+FDD0 to U+FDEF; remove some")
    return mark


def _number(mark: str) -> str:
    return f"u{ord(mark):04x}"
