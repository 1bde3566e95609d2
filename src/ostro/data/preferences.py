"""Preferences: a question with the answer that was chosen and the one that was rejected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostro.data.answers import AnswerEncoder
from ostro.data.fields import has, instruction, message_field
from ostro.data.sequences import Convert, TokenSequence
from ostro.data.transcripts import is_transcript, parse_transcript
from ostro.errors import OstroError
from ostro.text.messages import Message, parse_messages
from ostro.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Preference:
    """A question, and two answers to it that differ."""

    question: list[Message]
    chosen: Message
    rejected: Message


def convert_preferences(tokenizer: Tokenizer) -> Convert:
    """Two sequences for each pair, the chosen one first; only the last answer is learned."""
    encoder = AnswerEncoder(tokenizer)

    def convert(values: Mapping[str, Any]) -> list[TokenSequence]:
        pair = read_preference(values)
        return [
            encoder.encode([*pair.question, answer], len(pair.question))
            for answer in (pair.chosen, pair.rejected)
        ]

    return convert


def read_preference(values: Mapping[str, Any]) -> Preference:
    """The pair that a record stands for, whichever of the usual forms it has.

    ``chosen`` and ``rejected`` are answers, or whole dialogues (lists of messages, or transcripts).
    Dialogues that differ before their last answer are an OstroError: nobody chose between those.
    """
    if not has(values, "chosen", "rejected"):
        raise OstroError("no preference; there must be 'chosen' and 'rejected'")
    question = _question(values)
    chosen, rejected = (_dialogue(values, side) for side in ("chosen", "rejected"))
    if question is None:
        question = chosen[:-1]
    for side, dialogue in (("chosen", chosen), ("rejected", rejected)):
        if dialogue[-1].role != "assistant":
            raise OstroError(f"{side!r} does not end with an answer of the assistant")
        if dialogue[:-1] not in ([], question):
            raise OstroError(f"{side!r} answers another question")
    if chosen[-1] == rejected[-1]:
        raise OstroError("'chosen' and 'rejected' are equal")
    return Preference(question, chosen[-1], rejected[-1])


def _question(values: Mapping[str, Any]) -> list[Message] | None:
    """The question where it has a field of its own."""
    if has(values, "messages"):
        return parse_messages(values["messages"])
    if has(values, "prompt"):
        return message_field(values, "prompt", "user")
    return instruction(values) if has(values, "instruction") else None


def _dialogue(values: Mapping[str, Any], side: str) -> list[Message]:
    """What one side says; the question comes before it where it is not a field."""
    value = values[side]
    if isinstance(value, str) and is_transcript(value):
        return parse_transcript(value)
    messages = message_field(values, side, "assistant")
    if not messages:
        raise OstroError(f"{side!r} is an empty list")
    return messages
