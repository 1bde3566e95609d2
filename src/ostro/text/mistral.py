"""Mistral's own tokenizers and templates, through mistral-common.

It is imported when it is needed: that alone takes half a second.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from ostro.errors import CheckpointError, OstroError
from ostro.text.call_forms import ToolFormat
from ostro.text.message_order import check_answer, merge_messages
from ostro.text.messages import Message
from ostro.text.piece_tokenizer import PieceTokenizer, SpecialTokens
from ostro.text.pieces import sentencepiece_bytes
from ostro.text.tools import Tool

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

Version = Literal["v1", "v2", "v3"]
# Control pieces that came with a version, newest first.
_TELLING_PIECES = (("[SYSTEM_PROMPT]", "v7"), ("[PREFIX]", "v3"), ("[INST]", "v2"))


class MistralCodec:
    """Plain text through a tokenizer of mistral-common."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._is_tekken = hasattr(tokenizer, "id_to_byte_piece")
        self.drops_first_space = not self._is_tekken

    @cached_property
    def pieces(self) -> Sequence[str]:
        """All pieces, by id."""
        return [self._tokenizer.id_to_piece(number) for number in range(self._tokenizer.n_words)]

    def encode(self, text: str, *, after_special: bool) -> list[int]:
        """Token ids; control tokens are never read from a text."""
        ids: list[int] = self._tokenizer.encode(text, bos=False, eos=False)
        return ids

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of an ordinary token."""
        if self._is_tekken:
            return bytes(self._tokenizer.id_to_byte_piece(token_id))
        return sentencepiece_bytes(self.pieces[token_id])


class MistralTemplate:
    """The official template of a tokenizer's version, which has its own rules for messages."""

    source = None

    def __init__(self, tokenizer: "MistralTokenizer[Any, Any, Any, Any, Any]") -> None:
        self._tokenizer = tokenizer
        self._version = str(tokenizer.version.value)
        # Versions from v11 on write a call as a name, [ARGS] and its arguments.
        lists_calls = self._version in ("v2", "v3", "v7")
        self.tool_format: ToolFormat | None = "mistral" if lists_calls else None

    def encode(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[int]:
        """Token ids as mistral-common makes them; its refusals keep their words."""
        from mistral_common.exceptions import MistralCommonException

        try:
            request = _request(messages, tools)
            return list(self._tokenizer.encode_chat_completion(request).tokens)
        except MistralCommonException as error:
            raise OstroError(str(error)) from error
        except (ValueError, RuntimeError) as error:
            if not any(message.tool_calls or message.role == "tool" for message in messages):
                raise
            # It merges neighbours after its check, and reads JSON in calls and results.
            for message in merge_messages(messages):
                check_answer(message, content_beside_calls=self._version == "v7")
            raise OstroError(
                "the JSON of a tool call or result can't be written: it holds half a character,"
                " too long a number, or is nested too deeply"
            ) from error


def _request(messages: Sequence[Message], tools: Sequence[Tool]) -> Any:
    """The request in mistral-common's own classes."""
    from mistral_common.protocol.instruct import tool_calls
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    shown = [
        tool_calls.Tool(
            function=tool_calls.Function(
                name=tool.name, description=tool.description, parameters=dict(tool.parameters)
            )
        )
        for tool in tools
    ]
    return ChatCompletionRequest(
        model="ostro", messages=list(map(_mistral_message, messages)), tools=shown or None
    )


def _mistral_message(message: Message) -> Any:
    from mistral_common.protocol.instruct import messages, tool_calls

    if message.role == "system":
        return messages.SystemMessage(content=message.content)
    if message.role == "user":
        return messages.UserMessage(content=message.content)
    if message.role == "tool":
        return messages.ToolMessage(
            content=message.content, tool_call_id=message.tool_call_id, name=message.name
        )
    calls = [
        tool_calls.ToolCall(
            id=call.id,
            function=tool_calls.FunctionCall(name=call.name, arguments=call.arguments),
        )
        for call in message.tool_calls
    ]
    return messages.AssistantMessage(
        content=message.content, tool_calls=calls or None, prefix=message.prefix
    )


def mistral_tokenizer(path: Path) -> PieceTokenizer:
    """Read Mistral's own file: ``tokenizer.model``, ``tokenizer.model.v3``, ``tekken.json``."""
    from mistral_common.protocol.instruct.validator import ValidationMode
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    try:
        with _named_by_version(path) as named:
            tokenizer = MistralTokenizer.from_file(str(named), mode=ValidationMode.serving)
    except Exception as error:  # Assertions, RuntimeErrors and its own kinds, by the damage.
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: not one of Mistral's tokenizers ({reason})") from error
    return _build(tokenizer)


@contextmanager
def _named_by_version(path: Path) -> Iterator[Path]:
    """The same file under a name that tells its version, which mistral-common goes by."""
    if path.name != "tokenizer.model":
        yield path
        return
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(path))
    pieces = {processor.id_to_piece(number) for number in range(processor.vocab_size())}
    version = next((v for piece, v in _TELLING_PIECES if piece in pieces), "v1")
    with TemporaryDirectory() as folder:
        named = Path(folder) / f"{path.name}.{version}"
        named.symlink_to(path.absolute())
        yield named


def bundled_mistral_tokenizer(version: Version) -> PieceTokenizer:
    """A tokenizer that mistral-common brings along; v1 is Mixtral 8x7B's, v3 is 8x22B's."""
    return mistral_tokenizer(bundled_path(version))


def bundled_pieces(version: Version) -> list[str]:
    """The pieces of a bundled tokenizer, to recognise a vocabulary by."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(bundled_path(version)))
    return [processor.id_to_piece(number) for number in range(processor.vocab_size())]


def bundled_path(version: Version) -> Path:
    """The file of a bundled tokenizer."""
    from importlib.resources import files

    names = {
        "v1": "tokenizer.model.v1",
        "v2": "mistral_instruct_tokenizer_240216.model.v2",
        "v3": "mistral_instruct_tokenizer_240323.model.v3",
    }
    return Path(str(files("mistral_common") / "data" / names[version]))


def _build(tokenizer: "MistralTokenizer[Any, Any, Any, Any, Any]") -> PieceTokenizer:
    plain: Any = tokenizer.instruct_tokenizer.tokenizer
    codec = MistralCodec(plain)
    control = sorted(plain.special_ids)
    special = SpecialTokens(
        pieces={plain.id_to_piece(number): number for number in control},
        silent=frozenset((plain.unk_id,)) if hasattr(plain, "unk_id") else frozenset(),
        bos_id=plain.bos_id,
        eos_id=plain.eos_id,
        eos_ids=frozenset((plain.eos_id,)),
        adds_bos=True,
    )
    return PieceTokenizer(codec, special, MistralTemplate(tokenizer))
