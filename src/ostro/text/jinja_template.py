"""A model's own chat template, whose control tokens nobody else can write.

A template gives one text in which its control tokens are written out. Before rendering, whatever
in a message looks like one is broken by a mark that occurs nowhere else; after it, the text is cut
at the unbroken ones, which are the template's own, and the marks are taken out.
"""

from collections.abc import Mapping, Sequence

from ostro.errors import OstroError
from ostro.text.jinja_sandbox import compile_template
from ostro.text.message_order import merge_messages
from ostro.text.messages import Message
from ostro.text.piece_tokenizer import Codec
from ostro.text.special_pieces import SpecialPieces

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

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids up to where the assistant's next answer begins, or goes on (``prefix``)."""
        merged = merge_messages(messages)
        prefix = merged[-1].content if merged[-1].prefix else ""
        mark = _unused_mark(merged)
        values = [
            {"role": message.role, "content": self._pieces.hide(message.content, mark)}
            for message in (merged[:-1] if prefix else merged)
        ]
        variables = {**self._names, "messages": values, "add_generation_prompt": True}
        text = self._render({**variables, "tools": None})
        ids: list[int] = []
        for part in self._pieces.split(text):
            if isinstance(part, int):
                ids.append(part)
            else:
                ids += self._plain(part.replace(mark, ""), after_special=bool(ids))
        return ids + self._plain(prefix, after_special=True)

    def _plain(self, text: str, *, after_special: bool) -> list[int]:
        return self._codec.encode(text, after_special=after_special) if text else []


def _unused_mark(messages: Sequence[Message]) -> str:
    texts = [message.content for message in messages]
    mark = next((mark for mark in _MARKS if not any(mark in text for text in texts)), None)
    if mark is None:
        raise OstroError("a message holds every noncharacter from U+FDD0 to U+FDEF; remove some")
    return mark
