"""Conversations: every answer of the assistant is learned, and nothing that others say.

Documents may stand among them and are learned whole, so that what was learned from such is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ostro.data.answers import AnswerEncoder
from ostro.data.documents import convert_documents
from ostro.data.fields import has, instruction, message_field
from ostro.data.sequences import Convert, TokenSequence
from ostro.errors import OstroError
from ostro.text.messages import Message, parse_messages
from ostro.text.tokenizer import Tokenizer

_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
    ("instruction", "output"),
    ("instruction", "response"),
)
_FORMS = "messages, text, or one of " + ", ".join("+".join(pair) for pair in _PAIRS)


def convert_conversations(tokenizer: Tokenizer, *, alone: bool = False) -> Convert:
    """One sequence for each conversation, in the tokenizer's own template.

    Where a template writes an earlier answer otherwise once the conversation has gone on, that
    answer with its question is a sequence of its own; ``alone`` makes every answer one, so that two
    templates give the same number. What follows the last answer is left out.
    """
    encoder, document = AnswerEncoder(tokenizer), convert_documents(tokenizer)

    def convert(values: Mapping[str, Any]) -> list[TokenSequence]:
        if is_document(values):
            return document(values)
        messages = read_conversation(values)
        turns = [encoder.encode(messages[:stop], start) for start, stop in find_answers(messages)]
        return turns if alone else join_turns(turns)

    return convert


def is_document(values: Mapping[str, Any]) -> bool:
    """Whether a record has a text, and nothing that somebody says."""
    names = {"messages"}.union(*_PAIRS)
    return has(values, "text") and not any(has(values, name) for name in names)


def read_conversation(values: Mapping[str, Any]) -> list[Message]:
    """The messages that a record stands for, whichever of the usual forms it has."""
    if has(values, "tools") and values["tools"]:
        raise OstroError("functions ('tools') can't be learned from")
    if has(values, "messages"):
        return parse_messages(values["messages"])
    names = next((pair for pair in _PAIRS if has(values, *pair)), None)
    if names is None:
        raise OstroError(f"no conversation; there must be {_FORMS}")
    asked, answered = names
    is_instruction = asked == "instruction"
    question = instruction(values) if is_instruction else message_field(values, asked, "user")
    return [*question, *message_field(values, answered, "assistant")]


def find_answers(messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Where the assistant's answers begin and end; neighbours are one answer.

    An OstroError where there is none.
    """
    found = []
    for role, group in groupby(enumerate(messages), key=lambda entry: entry[1].role):
        numbers = [number for number, _ in group]
        if role == "assistant":
            found.append((numbers[0], numbers[-1] + 1))
    if not found:
        raise OstroError("no message of the assistant")
    return found


def join_turns(turns: Sequence[TokenSequence]) -> list[TokenSequence]:
    """One sequence that learns what all turns do, after those turns that don't begin the last."""
    *earlier, last = turns
    learned, alone = last.learned.copy(), []
    for turn in earlier:
        if last.starts_with(turn):
            learned[: len(turn)] |= turn.learned
        else:
            alone.append(turn)
    return [*alone, replace(last, learned=learned)]
