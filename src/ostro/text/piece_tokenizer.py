"""A tokenizer put together from three parts: a codec, its special tokens, and a template."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ostro.errors import OstroError
from ostro.text.call_forms import ToolFormat
from ostro.text.generic_tools import with_tools
from ostro.text.message_order import check_messages
from ostro.text.messages import Message
from ostro.text.pieces import join_text
from ostro.text.special_pieces import SpecialPieces
from ostro.text.tools import AUTO, Tool, ToolChoice


class Codec(Protocol):
    """Plain text to token ids, and a token id to bytes."""

    @property
    def pieces(self) -> Sequence[str]:
        """All pieces by id, special ones included."""
        ...

    @property
    def drops_first_space(self) -> bool:
        """Whether a decoded text loses one leading space."""
        ...

    def encode(self, text: str, *, after_special: bool) -> list[int]:
        """Token ids of plain text; control tokens are not looked for in it."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of an ordinary token."""
        ...


class ChatTemplate(Protocol):
    """A conversation to token ids."""

    @property
    def source(self) -> str | None:
        """The template's text, where it has one."""
        ...

    @property
    def tool_format(self) -> ToolFormat | None:
        """How the template writes calls of functions; None if it can't, or not readably."""
        ...

    def encode(self, messages: Sequence[Message], tools: Sequence[Tool]) -> list[int]:
        """Token ids up to where the assistant's next answer begins.

        Conversations that the template can't write are an :class:`~ostro.errors.OstroError`.
        Without a ``tool_format`` there are neither functions, calls nor results.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """The tokens that are not text."""

    pieces: Mapping[str, int] = field(default_factory=dict)
    """Control tokens by their text, as templates write them."""
    silent: frozenset[int] = frozenset()
    """Other tokens that give no text when decoded, such as the unknown one."""
    bos_id: int | None = None
    eos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()
    adds_bos: bool = False


class PieceTokenizer:
    """A :class:`~ostro.text.tokenizer.Tokenizer` made of its parts."""

    def __init__(self, codec: Codec, special: SpecialTokens, template: ChatTemplate | None) -> None:
        self._codec, self._special, self._template = codec, special, template
        self._pieces = SpecialPieces(special.pieces)
        self._control = frozenset(special.pieces.values())
        self._silent = self._control | special.silent

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special ones included."""
        return len(self._codec.pieces)

    @property
    def pieces(self) -> Sequence[str]:
        """All pieces by id, special ones included."""
        return self._codec.pieces

    @property
    def bos_id(self) -> int | None:
        """The token that starts a document, if there is one."""
        return self._special.bos_id

    @property
    def eos_id(self) -> int | None:
        """The token that ``</s>`` stands for in a raw prompt."""
        return self._special.eos_id

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        return self._special.eos_ids

    @property
    def special_pieces(self) -> Mapping[str, int]:
        """Control tokens by the text that stands for them in a template."""
        return self._special.pieces

    @property
    def adds_bos(self) -> bool:
        """Whether a plain prompt begins with the BOS token."""
        return self._special.adds_bos

    @property
    def drops_first_space(self) -> bool:
        """Whether a decoded text loses one leading space."""
        return self._codec.drops_first_space

    @property
    def has_chat_template(self) -> bool:
        """Whether :meth:`encode_chat` works."""
        return self._template is not None

    @property
    def template_source(self) -> str | None:
        """The chat template's text, where there is one."""
        return None if self._template is None else self._template.source

    def encode(self, text: str, *, after_special: bool = False) -> list[int]:
        """Token ids of ``text`` alone: no BOS, and text like ``</s>`` stays text."""
        _check_whole(text)
        ids = self._codec.encode(text, after_special=after_special)
        if self._control.isdisjoint(ids):
            return ids
        # A vocabulary of whole words may hold a control token's text as a word.
        parts = self._pieces.broken(text)
        return [
            number
            for index, part in enumerate(parts)
            for number in self._codec.encode(part, after_special=after_special or index > 0)
            if number not in self._control
        ]

    @property
    def tool_format(self) -> ToolFormat | None:
        """How the template writes calls; None where they are put into plain messages."""
        return None if self._template is None else self._template.tool_format

    def encode_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        tool_choice: ToolChoice = AUTO,
    ) -> list[int]:
        """Token ids of a conversation, up to where the assistant's next answer begins."""
        for message in messages:
            _check_message_whole(message)
        # What must not be called is not shown.
        shown = () if tool_choice.mode == "none" else tuple(tools)
        for tool in shown:
            _check_whole(json.dumps(tool.as_json(), ensure_ascii=False))
        if self.tool_format is None:
            check_messages(messages)
            messages, shown = with_tools(messages, shown, tool_choice), ()
        if self._template is None:
            raise OstroError(
                "this model has no chat template; continue a text instead (ostro generate), or put"
                " the template beside the weights as chat_template.jinja"
            )
        return self._template.encode(messages, shown)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of ``token_ids``; special tokens give nothing, broken UTF-8 gives U+FFFD."""
        return join_text(map(self.token_bytes, token_ids), drops_first_space=self.drops_first_space)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token adds in the middle of a text; empty for special tokens."""
        if token_id < 0:
            raise OstroError(f"{token_id} is not a token id")
        # A model may have more ids than its tokenizer has pieces, to make its tables even.
        hidden = token_id in self._silent or token_id >= self.vocab_size
        return b"" if hidden else self._codec.token_bytes(token_id)


def _check_message_whole(message: Message) -> None:
    parts = [message.content, message.name, message.tool_call_id]
    for call in message.tool_calls:
        parts += [call.id, call.name, call.arguments]
    for part in parts:
        _check_whole(part or "")


def _check_whole(text: str) -> None:
    """Half a character (a lone surrogate) must not become something else silently."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OstroError(f"the text has half a character at position {error.start}") from None
