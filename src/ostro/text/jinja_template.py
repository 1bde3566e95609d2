"""A model's own chat template: Jinja in a sandbox, whose control tokens nobody else can write.

A template gives one text in which its control tokens are written out. Before rendering, whatever
in a message looks like one is broken by a mark that occurs nowhere else; after it, the text is cut
at the unbroken ones, which are the template's own, and the marks are taken out.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ostro.errors import OstroError
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
        self._codec, self._pieces = codec, SpecialPieces(pieces)
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        self._names = dict(names) | {"raise_exception": _refuse, "strftime_now": _now}
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise OstroError(f"the model's chat template is not valid: {error}") from error

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids up to where the assistant's next answer begins, or goes on (``prefix``)."""
        merged = merge_messages(messages)
        prefix = merged[-1].content if merged[-1].prefix else ""
        mark = _unused_mark(merged)
        text = self._render(merged[:-1] if prefix else merged, mark)
        ids: list[int] = []
        for part in self._pieces.split(text):
            if isinstance(part, int):
                ids.append(part)
            else:
                ids += self._plain(part.replace(mark, ""), after_special=bool(ids))
        return ids + (self._plain(prefix, after_special=True) if prefix else [])

    def _plain(self, text: str, *, after_special: bool) -> list[int]:
        return self._codec.encode(text, after_special=after_special) if text else []

    def _render(self, messages: Sequence[Message], mark: str) -> str:
        values = [
            {"role": message.role, "content": self._pieces.hide(message.content, mark)}
            for message in messages
        ]
        try:
            return self._template.render(
                self._names, messages=values, add_generation_prompt=True, tools=None
            )
        except _Refused as error:
            raise OstroError(f"the model's chat template refuses this: {error}") from None
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise OstroError(f"the model's chat template fails: {error}") from error
        except (RecursionError, MemoryError, AttributeError) as error:
            raise OstroError(f"the model's chat template fails: {error!r}") from error


class _Refused(Exception):
    """What a template raises by itself."""


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


def _now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    """Jinja's own filter escapes HTML, which no model was trained on."""
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _unused_mark(messages: Sequence[Message]) -> str:
    texts = [message.content for message in messages]
    mark = next((mark for mark in _MARKS if not any(mark in text for text in texts)), None)
    if mark is None:
        raise OstroError("a message holds every noncharacter from U+FDD0 to U+FDEF; remove some")
    return mark
