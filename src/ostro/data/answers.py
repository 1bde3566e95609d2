"""Answers in their conversations, token for token as a model that serves reads and writes them."""

from collections.abc import Sequence
from dataclasses import replace

from ostro.data.sequences import TokenSequence
from ostro.errors import OstroError
from ostro.text.messages import Message
from ostro.text.tokenizer import Tokenizer

_PROBE = (Message("user", "a"), Message("assistant", "b", prefix=True))


class AnswerEncoder:
    """Makes conversations that end in an answer into sequences with the answer learned.

    An OstroError for a tokenizer without a chat template, or without a token that ends an answer.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        if not tokenizer.has_chat_template:
            raise OstroError(
                "the tokenizer has no chat template, which conversations need; put one beside it"
                " as chat_template.jinja"
            )
        self._tokenizer = tokenizer
        self._end = end_of_answer(tokenizer)

    def encode(self, messages: Sequence[Message], first: int) -> TokenSequence:
        """The conversation with all messages from number ``first`` on, the assistant's, learned.

        Neighbours of one role are one message for a template, so an answer may be several. The
        token that ends it is learned too.
        """
        _check(messages, first)
        question = self._tokenizer.encode_chat(messages[:first])
        answer = replace(messages[-1], prefix=True)
        whole = self._tokenizer.encode_chat([*messages[:-1], answer])
        if whole[: len(question)] != question:
            raise OstroError(
                f"the template changes what stands before the answer messages[{first}]"
            )
        return TokenSequence.of([*whole, self._end], learned_from=len(question))


def end_of_answer(tokenizer: Tokenizer) -> int:
    """The token that a model learns to end its answers with.

    That is what the template writes after an answer of earlier turns, if generation stops at it;
    else the EOS token. An OstroError if there is neither.
    """
    user, answer = _PROBE
    written = tokenizer.encode_chat([user, answer])
    later = tokenizer.encode_chat([user, replace(answer, prefix=False), user])
    after = later[len(written) :][:1] if later[: len(written)] == written else []
    end = after[0] if after and after[0] in tokenizer.eos_ids else tokenizer.eos_id
    if end is None:
        raise OstroError("the tokenizer has no token that ends an answer; name its eos_token")
    return end


def _check(messages: Sequence[Message], first: int) -> None:
    """Refuse what has no answer, and what can't be learned from."""
    if first == 0:
        raise OstroError("messages[0] is an answer without a question")
    for index, message in enumerate(messages):
        if message.tool_calls or message.role == "tool":
            raise OstroError(f"messages[{index}]: calls of functions can't be learned from")
        if index >= first and not message.content.strip():
            raise OstroError(f"messages[{index}]: the answer is empty")
        if message.prefix:
            raise OstroError(f"messages[{index}]: an answer that goes on (prefix) has no end")
