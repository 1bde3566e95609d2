"""What every tokenizer can do, whatever file it came from."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ostro.text.call_forms import ToolFormat
from ostro.text.messages import Message
from ostro.text.tools import AUTO, Tool, ToolChoice


class Tokenizer(Protocol):
    """Text to token ids and back, and conversations to token ids."""

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special ones included."""
        ...

    @property
    def bos_id(self) -> int | None:
        """The token that starts a document, if there is one."""
        ...

    @property
    def eos_id(self) -> int | None:
        """The token that ``</s>`` stands for in a raw prompt; one of :attr:`eos_ids`."""
        ...

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ...

    @property
    def special_pieces(self) -> Mapping[str, int]:
        """Control tokens by the text that stands for them in a template."""
        ...

    @property
    def adds_bos(self) -> bool:
        """Whether a plain prompt begins with the BOS token."""
        ...

    @property
    def drops_first_space(self) -> bool:
        """Whether a text loses one leading space when decoded, as SentencePiece's do."""
        ...

    @property
    def has_chat_template(self) -> bool:
        """Whether :meth:`encode_chat` works."""
        ...

    @property
    def tool_format(self) -> ToolFormat | None:
        """How the model's own template writes calls of functions.

        None where it has no way of its own that ostro can read: then functions, calls and results
        are put into plain messages (:mod:`ostro.text.generic_tools`).
        """
        ...

    def encode(self, text: str, *, after_special: bool = False) -> list[int]:
        """Token ids of ``text`` alone: no BOS, and text like ``</s>`` stays text.

        ``after_special`` says that a special token precedes it, where some vocabularies leave out
        the space that they put before a text.
        """
        ...

    def encode_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool] = (),
        tool_choice: ToolChoice = AUTO,
    ) -> list[int]:
        """Token ids of a conversation, up to where the assistant's next answer begins.

        The model is shown ``tools`` unless the choice is that none be called. Raises
        :class:`~ostro.errors.OstroError` for a wrong order of messages or no template.
        """
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of ``token_ids``; special tokens give nothing, broken UTF-8 gives U+FFFD."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token adds in the middle of a text; empty for special tokens."""
        ...
